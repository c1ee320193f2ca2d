"""A GPU that is not there: stand-ins for pycuda.driver and for the driver, by its library and by its graph calls.

What the backend asks is done for real on the host: memory is memory, kernels are kernels.cu compiled for the host, a
captured graph runs again what was put into it. Every call is noted with its thread; any of them can be made to fail.
Only asynchronous calls with a stream exist: what would use the default stream raises AttributeError or TypeError.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from edge_runtime.gpu import cuda, cuda_driver
from edge_runtime.gpu import kernels as product
from tests.native import kernels
from tests.standins import driver as driver_library

THREADS = 32  # of the block that suppresses


class Error(Exception):
    """pycuda.driver.Error."""


class LogicError(Error):
    """pycuda.driver.LogicError."""


class MemoryError(Error):
    """pycuda.driver.MemoryError."""


class Gpu:
    """The machine: what is allocated, what was called, and which call is to fail.

    Attributes:
        calls: (name, thread) in order.
        held: buffers by address.
        fail_at: number of the call that fails, counted from 0.
        refuses_graphs: whether capturing is refused.
        lacks: names that its driver does not have.
        undone: what was given back twice, or touched after it was given back.
    """

    def __init__(
        self, integrated: bool = False, capability: Tuple[int, int] = (8, 7), lacks: Tuple[str, ...] = ()
    ) -> None:
        self.integrated, self.capability, self.lacks = integrated, capability, lacks
        self.calls: List[Tuple[str, int]] = []
        self.held: Dict[int, Any] = {}
        self.fail_at: Optional[int] = None
        self.refuses_graphs = False
        self.contexts: List[str] = []
        self.recording: Optional[List[Callable[[], None]]] = None
        self.graphs: Dict[int, List[Callable[[], None]]] = {}
        self.faults: List[str] = []
        self.left_by_others = 0

    @property
    def left(self) -> int:
        """What the core has not given back to the driver's library."""
        return max(0, driver_library.held() - self.left_by_others)  # others may give theirs back meanwhile

    def note(self, name: str, error: type = LogicError) -> None:
        """Every call comes through here."""
        self.calls.append((name, threading.get_ident()))
        if self.fail_at is not None and len(self.calls) > self.fail_at:
            self.fail_at = None
            raise error(f"{name} failed: injected")

    def noted(self, name: str) -> bool:
        """The same for what says by its result that it failed."""
        try:
            self.note(name)
        except Error:
            return False
        return True

    def names(self) -> List[str]:
        """Of the calls, in order."""
        return [name for name, _ in self.calls]

    def run(self, work: Callable[[], None]) -> None:
        """Does what was put into a stream, or keeps it for the graph that is being captured."""
        if self.recording is not None:
            self.recording.append(work)
        else:
            work()

    def allocate(self, size: int) -> Tuple[int, Any]:
        """Host memory in the place of the device's."""
        buffer = ctypes.create_string_buffer(size + 64)
        address = -(-ctypes.addressof(buffer) // 64) * 64
        self.held[address] = buffer
        return address, buffer

    def free(self, address: int) -> None:
        """Gives memory back; what is given back twice is noted."""
        if self.held.pop(address, None) is None:
            self.faults.append(f"freed twice: {address}")


def driver(gpu: Gpu) -> Any:
    """The stand-in for `pycuda.driver`."""

    class Allocation:
        def __init__(self, size: int) -> None:
            gpu.note("mem_alloc", MemoryError)
            self._address, _ = gpu.allocate(size)

        def __int__(self) -> int:
            return self._address

        def free(self) -> None:
            gpu.note("mem_free")
            gpu.free(self._address)

    class Stream:
        def __init__(self, flags: int) -> None:
            gpu.note("Stream")
            assert flags == 1, "a stream that waits for the default one"
            self.handle = id(self)  # the library works at once in a stream that it does not know

        def synchronize(self) -> None:
            gpu.note("synchronize")

    class Event:
        def __init__(self, flags: int) -> None:
            gpu.note("Event")

        def record(self, stream: Stream) -> None:
            assert isinstance(stream, Stream)
            gpu.note("record")

        def synchronize(self) -> None:
            gpu.note("event_wait")

        def time_since(self, other: Event) -> float:
            return 0.5

    class Base:
        def __init__(self, address: int) -> None:
            self._address = address

        def free(self) -> None:
            gpu.note("host_free")
            gpu.free(self._address)

    class Pinned(np.ndarray):  # type: ignore[type-arg]
        """An array whose base gives its memory back."""

        @property
        def base(self) -> Any:  # type: ignore[override]
            return getattr(self, "_base", None)

    def pagelocked_empty(shape: Tuple[int, ...], dtype: Any) -> Any:
        gpu.note("pagelocked_empty", MemoryError)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address, _ = gpu.allocate(size)
        raw = (ctypes.c_char * size).from_address(address)
        array = np.frombuffer(raw, dtype).reshape(shape).view(Pinned)
        array._base = Base(address)
        return array

    def copy(name: str, target: Any, source: Any, stream: Any, size: int) -> None:
        assert isinstance(stream, Stream)
        gpu.note(name)
        gpu.run(lambda: ctypes.memmove(target, source, size) and None)

    class Function:
        def __init__(self, name: str) -> None:
            gpu.note("get_function")
            self._name, self._format = name, ""

        def prepare(self, form: str) -> None:
            self._format = form

        def prepared_async_call(self, grid: Any, block: Any, stream: Any, *arguments: Any) -> None:
            assert isinstance(stream, Stream) and len(block) == 3 and len(grid) == 3
            gpu.note(self._name)
            packed = struct.pack(self._format, *arguments)
            assert len(packed) == struct.calcsize(self._format)
            gpu.run(lambda: launch(self._name, grid, arguments))

    class Device:
        def __init__(self, number: int) -> None:
            gpu.note("Device")

        def compute_capability(self) -> Tuple[int, int]:
            return gpu.capability

        def get_attribute(self, attribute: str) -> int:
            return int(gpu.integrated)

        def retain_primary_context(self) -> Any:
            gpu.note("retain_primary_context")
            gpu.contexts.append("retained")
            return Context()

    class Context:
        def push(self) -> None:
            gpu.note("push")
            gpu.contexts.append("pushed")

        def detach(self) -> None:
            gpu.note("detach")
            gpu.contexts.remove("retained")

        @staticmethod
        def pop() -> None:
            gpu.note("pop")
            gpu.contexts.remove("pushed")

    def memset_d32_async(address: int, value: int, words: int, stream: Any) -> None:
        assert isinstance(stream, Stream)
        gpu.note("memset")
        gpu.run(lambda: ctypes.memset(address, value, 4 * words) and None)

    return SimpleNamespace(
        Error=Error, LogicError=LogicError, MemoryError=MemoryError, Device=Device, Stream=Stream, Event=Event,
        init=lambda: gpu.note("init"),
        get_version=lambda: (13, 0, 0),
        Context=Context,
        mem_alloc=lambda size: Allocation(size),
        pagelocked_empty=pagelocked_empty,
        memcpy_htod_async=lambda to, array, stream: copy("htod", to, array.ctypes.data, stream, array.nbytes),
        memcpy_dtoh_async=lambda array, at, stream: copy("dtoh", array.ctypes.data, at, stream, array.nbytes),
        memset_d32_async=memset_d32_async,
        module_from_buffer=lambda code: gpu.note("module") or SimpleNamespace(get_function=Function),
        mem_get_info=lambda: (1 << 30, 1 << 32),
        event_flags=SimpleNamespace(BLOCKING_SYNC=1),
        device_attribute=SimpleNamespace(INTEGRATED="integrated"),
    )  # fmt: skip


def launch(name: str, grid: Tuple[int, ...], arguments: Tuple[Any, ...]) -> None:
    """A kernel, on the host."""
    lib = kernels.library()
    values = [ctypes.c_void_p(value) if value > 1 << 20 else value for value in arguments]
    if name.startswith("edge_letterbox"):
        lib.host_letterbox(*values, grid[1], int(name.endswith("16")))
    elif name in ("edge_widen", "edge_from_int32", "edge_from_int64"):
        getattr(lib, name.replace("edge", "host"))(*values)
    elif name == "edge_candidates":
        lib.host_candidates(*values, grid[1])
    else:
        lib.host_suppress(*values, grid[0], THREADS)


class Driver:
    """The stand-in for the driver's library: its graph calls."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        for name in ("cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags",
                     "cuGraphInstantiate", "cuGraphLaunch", "cuGraphExecDestroy", "cuGraphDestroy",
                     "cuMemcpyDtoDAsync_v2"):  # fmt: skip
            if name not in gpu.lacks:
                setattr(self, name, self._noted(name))

    def _noted(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            if self._gpu.noted(name):
                return int(getattr(self, f"_{name}")(*arguments))
            if name == "cuStreamEndCapture":  # also if it fails, nothing is captured any more
                self._gpu.recording = None
            return 999

        return call

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 12060
        return 0

    def _cuStreamBeginCapture_v2(self, stream: int, mode: int) -> int:
        if self._gpu.refuses_graphs:
            return 900
        self._gpu.recording = []
        return 0

    def _cuStreamEndCapture(self, stream: int, graph: Any) -> int:
        recorded, self._gpu.recording = self._gpu.recording, None
        number = 1 + max(self._gpu.graphs, default=0)
        self._gpu.graphs[number] = recorded or []
        graph._obj.value = number
        return 0

    def _cuMemcpyDtoDAsync_v2(self, target: Any, source: Any, size: Any, stream: Any) -> int:
        assert stream.value, "the default stream"
        self._gpu.run(lambda: ctypes.memmove(target.value, source.value, size.value) and None)
        return 0

    def _cuGraphLaunch(self, graph: int, stream: int) -> int:
        assert stream, "the default stream"
        for work in self._gpu.graphs[graph]:
            work()
        return 0

    def _cuGraphInstantiateWithFlags(self, ready: Any, graph: Any, flags: int) -> int:
        ready._obj.value = graph.value
        return 0

    def _cuGraphInstantiate(self, ready: Any, graph: Any, node: Any, log: Any, size: int) -> int:
        assert node is log is None and size == 0
        return self._cuGraphInstantiateWithFlags(ready, graph, 0)

    def _cuGraphExecDestroy(self, ready: Any) -> int:
        return 0

    def _cuGraphDestroy(self, graph: Any) -> int:
        if self._gpu.graphs.pop(graph.value, None) is None:
            self._gpu.faults.append("destroyed twice: graph")
        return 0


@driver_library.NOTE
def _note(name: bytes) -> int:
    return 0 if _GPUS[-1].noted(name.decode()) else 999


@driver_library.LAUNCH
def _launch(graph: int) -> int:
    for work in _GPUS[-1].graphs[graph]:
        work()
    return 0


_GPUS: List[Gpu] = []


def install(monkeypatch: Any, gpu: Gpu) -> None:
    """Puts it in the place of pycuda, the driver, and the compiler of kernels."""
    fake = Driver(gpu)
    _GPUS[:] = [gpu]
    driver_library.reset(note=_note, launch=_launch)
    gpu.left_by_others = driver_library.held()
    monkeypatch.setattr(cuda_driver, "LIBRARY", driver_library.path())
    monkeypatch.setattr(cuda, "missing", lambda: None)
    monkeypatch.setattr(cuda, "import_module", lambda name: driver(gpu))
    monkeypatch.setattr(cuda_driver, "driver", lambda: fake)
    monkeypatch.setattr(product, "cubin", lambda capability: b"cubin")
