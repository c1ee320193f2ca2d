"""A whole machine that is not there, for processes that are started: GPU, TensorRT, cameras; faults by name.

TensorRT's stand-in builds plans that hold the network, and runs them by ONNX Runtime: boxes come out as they should.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any, Collection, List

import numpy as np
import onnx

from edge_runtime import cuda as product_cuda
from edge_runtime import cuda_driver, kernels, sources, trt
from edge_runtime.errors import SourceError
from edge_runtime.prove import kernels as comparisons
from edge_runtime.prove import power_mode, rails, shipped, timing
from tests.native import kernels as native
from tests.standins import cuda, tensorrt_api

MARK = b"network "
NAME = b"Orin (stand-in)"


class Driver(cuda.Driver):
    """The driver's library, asked which GPU there is."""

    def cuInit(self, flags: int) -> int:
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:
        name.value = NAME
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:
        value._obj.value = self._gpu.capability[attribute - cuda_driver.MAJOR]
        return 0


class Patch:
    """As pytest's monkeypatch, without an end."""

    def setattr(self, target: Any, name: str, value: Any) -> None:
        setattr(target, name, value)


def install(faults: Collection[str]) -> None:
    """Puts everything in place; `faults` are words that are looked for below."""
    gpu, compile_kernels = cuda.Gpu(integrated=True), kernels.cubin
    gpu.refuses_graphs = "graph" in faults
    cuda.install(Patch(), gpu)
    driver = Driver(gpu)
    cuda_driver.driver = lambda: driver  # type: ignore[assignment]
    built = os.environ["EDGE_HOST_KERNELS"]
    native.library = lambda: ctypes.CDLL(built)  # type: ignore[assignment]
    _tensorrt(gpu, faults)
    _cameras(faults)
    comparisons.SIZES, comparisons.GRIDS = ((64, 48), (1, 1)), ((5, 4),)
    timing.WARM, timing.LEAST, timing.SECONDS = 0, 2, 0.0
    rails.IDLE_S, rails.LOAD_S, power_mode.SETTLE_S = 1.2, 1.2, 0.0
    if "tiny" in faults:
        shipped.ENGINES = Path("/nowhere")
    if "bit" in faults:
        _flip_a_bit()
    if "crash" in faults:
        _crash()
    if "compiler" in faults:
        kernels.cubin, kernels.load_nvrtc = compile_kernels, lambda *_: None
    if "pycuda" in faults:
        product_cuda.missing = lambda: "pycuda is not installed: pip install pycuda"
    if "gpu" in faults:
        cuda_driver.driver = lambda: None  # type: ignore[assignment]
    if "rail" in faults:
        _close("curr1_input")


def _tensorrt(gpu: cuda.Gpu, faults: Collection[str]) -> None:
    lib = tensorrt_api.module("10.3", unbuildable="builder" in faults)
    parser, builder, runtime = lib.OnnxParser, lib.Builder, lib.Runtime

    def make_parser(network: Any, log: Any) -> Any:
        made = parser(network, log)
        parse = made.parse
        made.parse = lambda content: [setattr(network, "content", content), parse(content)][1]
        return made

    def make_builder(log: Any) -> Any:
        made = builder(log)
        build = made.build_serialized_network
        made.build_serialized_network = lambda net, config: build(net, config) and MARK + net.content
        return made

    def make_runtime(log: Any) -> Any:
        made = runtime(log)
        deserialize = made.deserialize_cuda_engine
        made.deserialize_cuda_engine = lambda content: deserialize(_plan(content, gpu, faults))
        return made

    lib.OnnxParser, lib.Builder, lib.Runtime = make_parser, make_builder, make_runtime
    trt.library = os.abort if "abort" in faults else lambda: lib  # type: ignore[assignment]
    trt.missing = lambda: None
    trt.log.cache_clear()


def _plan(content: bytes, gpu: cuda.Gpu, faults: Collection[str]) -> bytes:
    """A plan of the stand-in that runs the network in `content`."""
    import onnxruntime

    if not content.startswith(MARK):
        return content
    session = onnxruntime.InferenceSession(content[len(MARK) :], providers=["CPUExecutionProvider"])
    io = {value.name: (tuple(value.shape), "float32") for value in [*session.get_inputs(), *session.get_outputs()]}

    def run(images: Any, outputs: List[Any]) -> None:
        for target, found in zip(outputs, session.run(None, {next(iter(io)): np.array(images)})):
            target[:] = np.roll(found, 3, axis=-1) if "boxes" in faults and _told("argument") == "fp16" else found

    return tensorrt_api.plan(_fixed(content, io), run, gpu)


def _fixed(content: bytes, io: Any) -> Any:
    """Sizes that the file leaves open, as the real parser infers them."""
    inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(content[len(MARK) :]))
    shapes = {v.name: [d.dim_value or 1 for d in v.type.tensor_type.shape.dim] for v in inferred.graph.output}
    return {name: (tuple(shapes.get(name, shape)), dtype) for name, (shape, dtype) in io.items()}


def _told(key: str) -> str:
    """What the process of this step was told."""
    return str(json.loads(sys.argv[1])[key])


def _cameras(faults: Collection[str]) -> None:
    real = sources.open

    def give(target: str, *options: Any) -> Any:
        source = real("synthetic://64x48?frames=40")
        if "camera" in faults:

            def read(buffer: Any = None) -> None:
                raise SourceError(f"camera {target} stopped giving frames", hint="check the cable")

            source.read = read  # type: ignore[method-assign]
        return source

    sources.open = give  # type: ignore[assignment]


def _flip_a_bit() -> None:
    launch = cuda.launch

    def flipped(name: str, grid: Any, arguments: Any) -> None:
        launch(name, grid, arguments)
        if name == "edge_letterbox32":
            ctypes.c_uint32.from_address(arguments[2]).value ^= 1

    cuda.launch = flipped  # type: ignore[assignment]


def _crash() -> None:
    launch = cuda.launch
    cuda.launch = lambda *given: ctypes.string_at(0) if _told("room") == "kernels" else launch(*given)


def _close(name: str) -> None:
    """What a user who is not root sees; tests may run as root, to whom everything is open."""
    opened = Path.open

    def refuse(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **more)

    Path.open = refuse  # type: ignore[method-assign]
