"""OpenVINO: the fastest way to run the ONNX files on an x86 or ARM CPU, mostly in INT8. Extra `[openvino]`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import libraries
from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.backends._failures import said_of
from edge_runtime.backends._host import HostBackend, auto_threads
from edge_runtime.graph.unround import drop_redundant_rounding
from edge_runtime.libraries.extras import install_hint
from edge_runtime.model import onnx_file
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import RANGES_KEY, ModelIO, ModelSpec

HANDLES = (".onnx",)
DEVICES = ("cpu",)
PRIORITY = 10


def available() -> Optional[str]:
    """None if openvino can be imported, else the reason."""
    return libraries.missing("openvino", install_hint("openvino"))


def read_io(path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """See `onnx_file.read_io`. If shape inference cannot tell the output sizes, OpenVINO does."""
    io = onnx_file.read_io(path, imgsz, batch)
    if -1 in io.input_shape or all(-1 not in shape[1:] for shape in io.shapes):
        return io
    model = _model(path, io.input_shape)
    with said_of("openvino", path):
        found = {name: tuple(output.shape) for name, output in zip(io.outputs, model.outputs)}
    return ModelIO(io.input_name, io.input_shape, found, io.metadata, io.dtypes)


def open(path: str, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions) -> Backend:
    """Opens an ONNX file.

    Raises:
        ModelError: OpenVINO cannot run it.
    """
    openvino = _library()

    io = read_io(path, spec.input_wh, options.batch)
    threads = auto_threads(options)
    compiled = _compile(path, io.input_shape, threads)

    def bind(feed: NDArray[np.generic], fetches: List[NDArray[np.generic]]) -> Callable[[], None]:
        with said_of("openvino", path):
            request = compiled.create_infer_request()
            request.set_input_tensor(0, openvino.Tensor(feed, shared_memory=True))
            for number, fetch in enumerate(fetches):
                request.set_output_tensor(number, openvino.Tensor(fetch, shared_memory=True))

        def run() -> None:
            with said_of("openvino", path):
                request.start_async()
                request.wait()  # unlike infer(), it builds no result dictionary

        return run

    dtypes = [io.dtypes[io.input_name], *(io.dtypes[name] for name in io.outputs)]
    form = ", INT8 in its lighter form" if RANGES_KEY in io.metadata else ""
    description = f"openvino {openvino.__version__.split('-')[0]} cpu, {threads} thread{'s'[: threads > 1]}{form}"
    return HostBackend("openvino", description, spec, decode, (io.input_shape, io.shapes), dtypes, bind, options)


def _library() -> Any:
    return libraries.load_library("openvino")


def _model(path: str, input_shape: Tuple[int, ...]) -> Any:
    openvino = _library()

    with said_of("openvino", path):
        model = openvino.Core().read_model(*_source(path))
        if model.input(0).partial_shape.is_dynamic:
            model.reshape(list(input_shape))
    return model


def _source(path: str) -> Tuple[Any, ...]:
    """The file to run. If we quantised it, its lighter form (a fifth faster and nearer to float)."""
    file = onnx_file.load_onnx(path)
    if all(entry.key != RANGES_KEY for entry in file.metadata_props):
        return (path,)
    return drop_redundant_rounding(file).SerializeToString(), b""


def _compile(path: str, input_shape: Tuple[int, ...], threads: int) -> Any:
    """Compiles in a thread that ends.

    OpenVINO gives the thread that compiles another stack for signals. If models are not closed in the reverse order,
    that stack is freed while the thread still has it. The next signal, for example Ctrl-C, would then end the process.
    """
    config: Dict[str, Any] = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # People compare results with float references, so bfloat16 is not used silently on processors that have it.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    with said_of("openvino", path):
        core, model = _library().Core(), _model(path, input_shape)
        with ThreadPoolExecutor(1) as apart:
            return apart.submit(core.compile_model, model, "CPU", config).result()
