"""ONNX Runtime: CPU everywhere, CUDA if its provider is installed, TensorRT's provider only on request."""

from __future__ import annotations

import re
from functools import partial
from queue import SimpleQueue
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from edge_runtime import libraries
from edge_runtime.backends import Backend, BackendOptions, _batches
from edge_runtime.backends._failures import explained, said_of
from edge_runtime.backends._host import Array, Bind, HostBackend, Run, auto_spinning, auto_threads, words
from edge_runtime.errors import BackendUnavailable, EdgeError, ModelError
from edge_runtime.graph.unround import float_weights
from edge_runtime.libraries.extras import install_hint
from edge_runtime.model import inputs, outputs
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.outputs import settled
from edge_runtime.model.spec import RANGES_KEY, ModelIO, ModelSpec

HANDLES = (".onnx",)
DEVICES = ("cpu", "cuda", "tensorrt")
PRIORITY = 0
SPINS = True
PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}
TOO_NEW = {  # its messages about a file that is newer than itself: the file's number, then its own
    "opset": r"Opset (\d+) is under development.* is till opset (\d+)",
    "IR version": r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
}


def available() -> Optional[str]:
    """None if onnxruntime can be imported, else the reason."""
    return libraries.missing("onnxruntime", install_hint("cpu"))


def on_cores(device: str) -> bool:
    """Whether the device, "auto" or one of DEVICES, is the processor here."""
    return _providers(device)[1] == "cpu"


def version() -> str:
    """Version of the library."""
    return str(library().__version__)


def library() -> Any:
    """The module onnxruntime. It logs errors only, because from 1.23 on it warns about the GPU of every Jetson.

    Raises:
        ImportError: it cannot be loaded.
    """
    module: Any = libraries.load_library("onnxruntime")
    module.set_default_logger_severity(3)
    return module


def read_io(path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """See `onnx_file.read_io`. If shape inference cannot tell the output sizes, one run of the model finds them."""
    io = _batches.read_io(path, imgsz, batch)
    if -1 in io.input_shape or all(-1 not in shape for shape in io.shapes):
        return io
    feeds = {io.input_name: np.zeros(io.stored_input, io.dtypes[io.input_name]), **inputs.given(io)}
    session = _session(path, BackendOptions(batch=batch), 1)[0]
    with said_of("onnxruntime", path):
        arrays = session.run(None, feeds)
    return settled(io, found={name: tuple(array.shape) for name, array in zip(io.outputs, arrays)})


def open(path: str, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions) -> Backend:
    """Opens an ONNX file.

    Raises:
        ModelError: ONNX Runtime cannot run it.
        BackendUnavailable: the wanted provider is not installed.
    """
    threads = auto_threads(options)
    session, description = _session(path, options, threads)
    io = read_io(path, spec.input_wh, options.batch)
    binds = [partial(bind, each, path, io) for each in (session, *_more(path, options, threads))]
    return HostBackend("onnxruntime", description, spec, decode, io, _any_of(binds), options,
                       _batches.splits(path, options.batch))  # fmt: skip


def _more(path: str, options: BackendOptions, threads: int) -> List[Any]:
    """Sessions of the other streams. One of a single thread serves all streams, because it has no pool to share."""
    streams = options.streams or 1
    return [_session(path, options, threads)[0] for _ in range(1, streams)] if threads // streams > 1 else []


def _any_of(binds: Sequence[Bind]) -> Bind:
    """Binds a slot to every session. A run takes one that is free: there are no more workers than sessions."""
    if len(binds) == 1:
        return binds[0]
    free: SimpleQueue[int] = SimpleQueue()
    for number in range(len(binds)):
        free.put(number)

    def bind_all(feeds: Dict[str, Array], fetches: Dict[str, Array]) -> Run:
        runs = [each(feeds, fetches) for each in binds]

        def run() -> Sequence[Array]:
            number = free.get()
            try:
                return runs[number]()
            finally:
                free.put(number)

        return run

    return bind_all


def bind(session: Any, path: str, io: ModelIO, feeds: Dict[str, Array], fetches: Dict[str, Array]) -> Run:
    """Returns what runs a session of a file on arrays by name: inputs, and outputs of fixed size.

    Args:
        io: with concrete shapes.
    """
    lists = outputs.lists(io)

    def run_and_copy() -> Sequence[Array]:
        with said_of("onnxruntime", path):
            found = dict(zip(io.outputs, session.run(list(io.outputs), feeds)))
        for name, fetch in fetches.items():
            np.copyto(fetch, found[name])
        return [found[name] for name in lists]

    return run_and_copy if lists else _bound(session, path, feeds, fetches)


def _bound(session: Any, path: str, feeds: Dict[str, Array], fetches: Dict[str, Array]) -> Run:
    with said_of("onnxruntime", path):
        binding = session.io_binding()
        for name, feed in feeds.items():
            binding.bind_input(name, "cpu", 0, feed.dtype, feed.shape, feed.ctypes.data)
        for name, fetch in fetches.items():
            binding.bind_output(name, "cpu", 0, fetch.dtype, fetch.shape, fetch.ctypes.data)

    def run() -> Sequence[Array]:
        # The binding holds plain addresses. The arrays live as long as the slot that owns this closure.
        with said_of("onnxruntime", path):
            session.run_with_iobinding(binding)
        return ()

    return run


def _session(path: str, options: BackendOptions, threads: int) -> Tuple[Any, str]:
    ort = library()
    providers, device = _providers(options.device)
    each = max(1, threads // (options.streams or 1))
    spinning = each > 1 and auto_spinning(options, threads)
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = each
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    try:
        session = ort.InferenceSession(_source(path, options.batch), settings, providers=providers)
    except Exception as error:  # onnxruntime's own exception types are not public
        raise _unreadable(path, error) from error
    if PROVIDERS[device][0] not in session.get_providers():  # it is listed, but its libraries are missing
        if options.device != "auto":
            fact = f"{PROVIDERS[device][0]} is listed by onnxruntime, but does not start"
            raise BackendUnavailable(fact, hint="edge-doctor says what is missing; or use --device cpu")
        device = "cpu"
    detail = f", {words(options, threads, spinning)}" if device == "cpu" else ""
    return session, f"onnxruntime {ort.__version__} {device}{detail}"


def _source(path: str, batch: int) -> Union[str, bytes]:
    """The network to run. If we quantised it, a form of it in which everything that stays float is unpacked."""
    file, opened = _batches.load(path, batch)
    ours = any(entry.key == RANGES_KEY for entry in file.metadata_props)
    if ours:
        return bytes(float_weights(file).SerializeToString())
    return bytes(file.SerializeToString()) if opened else path


def _providers(device: str) -> Tuple[List[str], str]:
    there = set(library().get_available_providers())
    if device == "auto":
        device = "cuda" if "CUDAExecutionProvider" in there else "cpu"
    if PROVIDERS[device][0] not in there:
        raise BackendUnavailable(
            f"this onnxruntime has no {PROVIDERS[device][0]}", hint=f"{install_hint('gpu')}, or --device cpu"
        )
    return [name for name in PROVIDERS[device] if name in there], device


def _unreadable(path: str, error: Any) -> EdgeError:
    reason = " ".join(str(error).split())
    for what, pattern in TOO_NEW.items():
        found = re.search(pattern, reason)
        if found:
            version = library().__version__
            fact = f"{path} has {what} {found[1]}, the newest that onnxruntime {version} knows is {found[2]}"
            hint = f"pip install -U onnxruntime, or export the model with {what} {found[2]} or older"
            return ModelError(fact, hint=hint)
    return explained("onnxruntime", path, error)
