"""OpenVINO: the fastest way to run the ONNX files on an x86 or ARM CPU, mostly in INT8. Extra `[openvino]`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Optional, Sequence, Tuple

from edge_runtime import libraries
from edge_runtime.backends import Backend, BackendOptions, _batches
from edge_runtime.backends._failures import said_of
from edge_runtime.backends._host import Array, HostBackend, Run, auto_threads, words
from edge_runtime.graph.unround import drop_redundant_rounding
from edge_runtime.libraries.extras import install_hint
from edge_runtime.model import outputs
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.outputs import settled
from edge_runtime.model.spec import RANGES_KEY, ModelIO, ModelSpec

HANDLES = (".onnx",)
DEVICES = ("cpu",)
PRIORITY = 10


def available() -> Optional[str]:
    """None if openvino can be imported, else the reason."""
    return libraries.missing("openvino", install_hint("openvino"))


def on_cores(device: str) -> bool:
    """Always: it runs on the processor only."""
    return True


def version() -> str:
    """Version of the library."""
    return str(_library().__version__)


def read_io(path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """See `onnx_file.read_io`. If shape inference cannot tell the output sizes, OpenVINO does."""
    io = _batches.read_io(path, imgsz, batch)
    if -1 in io.input_shape or all(-1 not in shape for shape in io.shapes):
        return io
    model = _model(path, io)
    with said_of("openvino", path):
        shapes = [output.partial_shape for output in model.outputs]
    found = {name: tuple(size.get_length() if size.is_static else -1 for size in shape)
             for name, shape in zip(io.outputs, shapes)}  # fmt: skip
    return settled(io, any(-1 in shape for shape in found.values()), found)


def open(path: str, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions) -> Backend:
    """Opens an ONNX file.

    Raises:
        ModelError: OpenVINO cannot run it.
    """
    openvino = _library()

    io = read_io(path, spec.input_wh, options.batch)
    threads = auto_threads(options)
    streams, splits = options.streams or 1, _batches.splits(path, options.batch)
    compiled = {io.input_shape[0]: _compile(path, io, threads, streams)}
    if splits:  # one picture gets the network that it has without batches
        compiled[1] = _compile(path, read_io(path, spec.input_wh), threads, streams)
    numbers = [list(io.outputs).index(name) for name in outputs.lists(io)]

    def bind(feeds: Dict[str, Array], fetches: Dict[str, Array]) -> Run:
        with said_of("openvino", path):
            request = compiled[len(feeds[io.input_name])].create_infer_request()
            for name, feed in feeds.items():
                request.set_tensor(name, openvino.Tensor(feed, shared_memory=True))
            for number, name in enumerate(io.outputs):
                if name in fetches:
                    request.set_output_tensor(number, openvino.Tensor(fetches[name], shared_memory=True))

        def run() -> Sequence[Array]:
            with said_of("openvino", path):
                request.start_async()
                request.wait()  # unlike infer(), it builds no result dictionary
                return [request.get_output_tensor(number).data for number in numbers]

        return run

    form = ", INT8 in its lighter form" if RANGES_KEY in io.metadata else ""
    description = f"openvino {openvino.__version__.split('-')[0]} cpu, {words(options, threads)}{form}"
    return HostBackend("openvino", description, spec, decode, io, bind, options, splits)


def _library() -> Any:
    return libraries.load_library("openvino")


def _model(path: str, io: ModelIO) -> Any:
    openvino = _library()

    with said_of("openvino", path):
        model = openvino.Core().read_model(*_source(path, io.input_shape[0]))
        if any(value.partial_shape.is_dynamic for value in model.inputs):
            model.reshape({io.input_name: list(io.stored_input), **{n: list(shape) for n, shape in io.others.items()}})
    return model


def _source(path: str, batch: int) -> Tuple[Any, ...]:
    """The network to run. If we quantised it, its lighter form (a fifth faster and nearer to float)."""
    file, opened = _batches.load(path, batch)
    if any(entry.key == RANGES_KEY for entry in file.metadata_props):
        file, opened = drop_redundant_rounding(file), True
    return (file.SerializeToString(), b"") if opened else (path,)


def _compile(path: str, io: ModelIO, threads: int, streams: int = 1) -> Any:
    """Compiles in a thread that ends.

    OpenVINO gives the thread that compiles another stack for signals. If models are not closed in the reverse order,
    that stack is freed while the thread still has it. The next signal, for example Ctrl-C, would then end the process.
    """
    config: Dict[str, Any] = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        # People compare results with float references, so bfloat16 is not used silently on processors that have it.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    with said_of("openvino", path):
        core, model = _library().Core(), _model(path, io)
        with ThreadPoolExecutor(1) as apart:
            return apart.submit(core.compile_model, model, "CPU", config).result()
