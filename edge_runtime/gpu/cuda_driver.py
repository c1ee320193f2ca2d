"""Calls the CUDA driver directly, which needs no toolkit and no binding."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any, Callable, Dict, Optional, Tuple

from edge_runtime.errors import DeviceError
from edge_runtime.libraries.once import once

MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may still allocate memory
INSTANTIATE = ("cuGraphInstantiateWithFlags", "cuGraphInstantiate")  # since CUDA 11.4; before that
GRAPH_CALLS: Dict[str, Tuple[Any, ...]] = {
    "cuStreamBeginCapture_v2": (ctypes.c_void_p, ctypes.c_int),
    "cuStreamEndCapture": (ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)),
    "cuGraphInstantiateWithFlags": (ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p, ctypes.c_ulonglong),
    "cuGraphInstantiate": (ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p,
                           ctypes.c_size_t),
    "cuGraphLaunch": (ctypes.c_void_p, ctypes.c_void_p),
    "cuGraphExecDestroy": (ctypes.c_void_p,),
    "cuGraphDestroy": (ctypes.c_void_p,),
}  # fmt: skip


LIBRARY = "libcuda.so.1"


@once
def driver() -> Optional[Any]:
    """Returns the library of the driver; None if it does not load."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        return None


def driver_version() -> str:
    """Returns the newest CUDA version that the driver supports, "12.6"; "" if there is no driver."""
    version, lib = ctypes.c_int(), driver()
    if lib is None or lib.cuDriverGetVersion(ctypes.byref(version)):
        return ""
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def compute_capability(device: int = 0) -> str:
    """Returns the compute capability of a GPU, "8.7"; "" if there is no GPU. Makes no context."""
    lib, handle = driver(), ctypes.c_int()
    if lib is None or lib.cuInit(0) or lib.cuDeviceGet(ctypes.byref(handle), device):
        return ""
    numbers = []
    for attribute in (MAJOR, MINOR):
        number = ctypes.c_int()
        if lib.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle):
            return ""
        numbers.append(str(number.value))
    return ".".join(numbers)


class Graph:
    """Calls that were captured from a stream and are launched together, by `native.device.Slot`.

    Raises:
        DeviceError: the capture was refused.
    """

    def __init__(self, stream: int, calls: Callable[[], None]) -> None:
        self._lib = driver()
        self._graph, self._ready = ctypes.c_void_p(), ctypes.c_void_p()
        for name, kinds in GRAPH_CALLS.items():
            if hasattr(self._lib, name) or name not in INSTANTIATE:
                self._function(name).argtypes = kinds  # before the capture begins: a stream that cannot end it is lost
        self._call("cuStreamBeginCapture_v2", stream, THREAD_LOCAL)
        try:
            calls()
        except BaseException:
            with suppress(DeviceError):
                self._end(stream)
            self.close()
            raise
        try:
            self._end(stream)
            self._instantiate()
        except BaseException:
            self.close()
            raise

    @property
    def handle(self) -> int:
        """What the driver launches."""
        return int(self._ready.value or 0)

    def close(self) -> None:
        """Frees the graph. May be repeated."""
        for name, handle in (("cuGraphExecDestroy", self._ready), ("cuGraphDestroy", self._graph)):
            if handle.value:
                self._function(name)(handle)
                handle.value = None

    def _end(self, stream: int) -> None:
        self._call("cuStreamEndCapture", stream, ctypes.byref(self._graph))

    def _instantiate(self) -> None:
        new, old = INSTANTIATE
        if hasattr(self._lib, new):
            self._call(new, ctypes.byref(self._ready), self._graph, 0)
        else:
            self._call(old, ctypes.byref(self._ready), self._graph, None, None, 0)

    def _function(self, name: str) -> Any:
        function = getattr(self._lib, name, None)
        if function is None:
            raise DeviceError(f"this CUDA driver has no {name}", hint="update JetPack or the driver")
        return function

    def _call(self, name: str, *arguments: Any) -> None:
        code = self._function(name)(*arguments)
        if code:
            raise DeviceError(f"{name} failed: CUresult {code}", hint="edge-doctor shows the GPU's state")
