"""A whole machine that is not there, for processes that are started: GPU, TensorRT, cameras; faults by name.

TensorRT's stand-in builds plans that hold the network, and runs them by ONNX Runtime: boxes come out as they should.
What a process has no use for is not imported.
"""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Collection, List

from edge_runtime.gpu import cuda as product_cuda
from edge_runtime.gpu import cuda_driver, kernels
from tests.native import kernels as native
from tests.standins import cuda

MARK = b"network "
NAME = b"Orin (stand-in)"
GPU: List[cuda.Gpu] = []


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


def install(room: str, argument: str, faults: Collection[str]) -> None:
    """Puts in place what the process of a step needs.

    Args:
        room: of the step; "build" for the builder's own process.
        argument: of the step.
        faults: words that are looked for below.
    """
    if room == "camera":
        _cameras("camera" in faults)
        return
    _gpu(faults)
    if room in ("layer", "model", "graph", "rails", "build") or argument == "TensorRT":
        _tensorrt(faults, wrong="boxes" in faults and argument == "fp16")
    if room in ("model", "graph", "rails"):
        _quick("tiny" in faults)
    if room == "kernels":
        _comparisons(faults)
    if room == "rails" and "rail" in faults:
        _close("curr1_input")


def _gpu(faults: Collection[str]) -> None:
    gpu, compile_kernels = cuda.Gpu(integrated=True), kernels.cubin
    gpu.refuses_graphs = "graph" in faults
    cuda.install(Patch(), gpu)
    binding = cuda.driver(gpu)
    binding.get_version = lambda: (2026, 1, 0)
    product_cuda.import_module = lambda name: binding  # type: ignore[assignment]
    GPU.append(gpu)
    driver = Driver(gpu)
    cuda_driver.driver = lambda: None if "gpu" in faults else driver  # type: ignore[assignment]
    built = os.environ["EDGE_HOST_KERNELS"]
    native.library = lambda: ctypes.CDLL(built)  # type: ignore[assignment]
    if "compiler" in faults:
        kernels.cubin, kernels.load_nvrtc = compile_kernels, lambda *_: None
    if "pycuda" in faults:
        product_cuda.missing = lambda: "pycuda is not installed: pip install pycuda"


def _quick(tiny: bool) -> None:
    from edge_runtime.prove import rails, shipped, timing

    timing.WARM, timing.LEAST, timing.SECONDS = 0, 2, 0.0
    rails.IDLE_S, rails.LOAD_S = 1.2, 1.2
    if tiny:
        shipped.ENGINES = Path("/nowhere")


def _comparisons(faults: Collection[str]) -> None:
    from edge_runtime.prove import kernels as comparisons

    comparisons.SIZES, comparisons.GRIDS = ((64, 48), (1, 1)), ((5, 4),)
    launch = cuda.launch

    def faulty(name: str, grid: Any, arguments: Any) -> None:
        launch(name, grid, arguments)
        if "crash" in faults:
            ctypes.string_at(0)
        if "bit" in faults and name == "edge_letterbox32":
            ctypes.c_uint32.from_address(arguments[2]).value ^= 1

    cuda.launch = faulty  # type: ignore[assignment]


def _tensorrt(faults: Collection[str], wrong: bool) -> None:
    from edge_runtime.gpu import trt
    from tests.standins import tensorrt_api

    version = next((word for word in faults if word in tensorrt_api.VERSIONS), "10.3")
    lib = tensorrt_api.module(version, unbuildable="builder" in faults)
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

        def engine(content: bytes) -> Any:
            found = deserialize(_plan(content, wrong))
            found.__dict__["create_engine_inspector"] = lambda: SimpleNamespace(
                get_engine_information=lambda form: _listing(content[len(MARK) :])
            )
            return found

        made.deserialize_cuda_engine = engine
        return made

    lib.OnnxParser, lib.Builder, lib.Runtime = make_parser, make_builder, make_runtime
    trt.library = os.abort if "abort" in faults else lambda: lib  # type: ignore[assignment]
    trt.missing = lambda: None
    trt.log.cache_clear()


def _plan(content: bytes, wrong: bool) -> bytes:
    """A plan of the stand-in that runs the network in `content`; `wrong` moves what it gives."""
    import numpy as np
    import onnx
    import onnxruntime

    from tests.standins import tensorrt_api

    if not content.startswith(MARK):
        return content
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    network = content[len(MARK) :]
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(network)).graph
    io = {
        value.name: (tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim), "float32")
        for value in [inferred.input[0], *inferred.output]
    }

    def run(images: Any, outputs: List[Any]) -> None:
        for target, found in zip(outputs, session.run(None, {next(iter(io)): np.array(images)})):
            target[:] = np.roll(found, 3, axis=-1) if wrong else found

    return tensorrt_api.plan(io, run, GPU[-1])


def _listing(network: bytes) -> str:
    """What the inspector says of a network: each convolution reads what its input was rounded to."""
    import onnx

    graph = onnx.load_from_string(network).graph
    makers = {output: node for node in graph.node for output in node.output}
    halves = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16}

    def kind(node: onnx.NodeProto) -> str:
        maker = makers.get(node.input[0])
        while maker is not None and maker.op_type == "Cast":
            maker = makers.get(maker.input[0])
        if maker is not None and maker.op_type == "DequantizeLinear":
            return "Int8"
        return "Half" if node.input[1] in halves else "Float"

    return json.dumps({
        "Layers": [
            {"Name": node.output[0], "LayerType": "CaskConvolution", "Inputs": [{"Format/Datatype": kind(node)}]}
            for node in graph.node if node.op_type == "Conv"
        ]
    })  # fmt: skip


def _cameras(broken: bool) -> None:
    from edge_runtime import sources
    from edge_runtime.errors import SourceError

    real = sources.open

    def give(target: str, *options: Any) -> Any:
        source = real("synthetic://64x48?frames=40")

        def read(buffer: Any = None) -> None:
            raise SourceError(f"camera {target} stopped giving frames", hint="check the cable")

        if broken:
            source.read = read  # type: ignore[method-assign]
        return source

    sources.open = give  # type: ignore[assignment]


def _close(name: str) -> None:
    """What a user who is not root sees; tests may run as root, to whom everything is open."""
    opened = Path.open

    def refuse(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **more)

    Path.open = refuse  # type: ignore[method-assign]
