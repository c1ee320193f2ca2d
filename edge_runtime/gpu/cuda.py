"""A CUDA device with plain functions. This is the only file that uses pycuda.

A `Device` belongs to the thread that opened it: pycuda frees nothing in another thread. It retains the GPU's primary
context, which TensorRT uses too, and never uses the default stream. pycuda has no CUDA graphs: the driver makes them,
and the core launches them.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BackendUnavailable, DeviceError
from edge_runtime.gpu import cuda_driver
from edge_runtime.gpu.cuda_driver import Graph, driver
from edge_runtime.libraries import causes
from edge_runtime.libraries.extras import install_hint
from edge_runtime.native.device import OUT_OF_MEMORY, Gpu

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: the stream does not wait for the default stream
Launch = Callable[..., None]


def missing() -> Optional[str]:
    """Returns None if a device can be opened, else the reason. Does not touch the GPU."""
    if not find_spec("pycuda"):
        return f"pycuda is not installed: {install_hint('tensorrt')}"
    return None if driver() else "there is no CUDA driver: libcuda.so.1 does not load"


def binding() -> Any:
    """Returns the module pycuda.driver.

    Raises:
        BackendUnavailable: pycuda or the driver is missing, or pycuda does not load.
    """
    reason, say = missing(), "edge-doctor says what is missing"
    if reason:
        raise BackendUnavailable(reason, hint=say)
    try:
        return import_module("pycuda.driver")
    except (ImportError, OSError) as error:
        fact, hint = causes.explain(f"pycuda does not load: {error}", say)
        raise BackendUnavailable(fact, hint=hint) from error


class Device:
    """An open GPU. `close` frees all that its methods returned, in reverse order.

    Attributes:
        capability: compute capability, "8.7".
        integrated: whether it shares the host's memory, as on a Jetson.
        gpu: the same GPU for the core, which uses it in any thread.

    Raises:
        BackendUnavailable: pycuda or the driver is missing.
        DeviceError: the GPU cannot be opened.
    """

    def __init__(self, number: int = 0) -> None:
        self._api = binding()
        self._undo: List[Callable[[], None]] = []
        try:
            self._do("starting CUDA", self._api.init)
            device = self._do("finding the GPU", self._api.Device, number)
            self.capability = ".".join(map(str, device.compute_capability()))
            self.integrated = bool(device.get_attribute(self._api.device_attribute.INTEGRATED))
            context = self._do("using the GPU", device.retain_primary_context)
            self._later(context.detach)
            self._do("using the GPU", context.push)
            self._later(self._api.Context.pop)
            self.gpu = Gpu(cuda_driver.LIBRARY, number)
            self._later(self.gpu.close)
        except BaseException:
            self.close()
            raise

    def stream(self) -> Any:
        """Makes a stream; `handle` is its address."""
        stream = self._do("making a stream", self._api.Stream, NON_BLOCKING)
        self._later(stream.synchronize)
        return stream

    def event(self) -> Any:
        """Makes an event, to wait for and to measure time. A thread that waits for it sleeps."""
        return self._do("making an event", self._api.Event, self._api.event_flags.BLOCKING_SYNC)

    def pinned(self, shape: Tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Returns zeros of any shape in pinned host memory."""
        array: Any = self._do("pinning memory", self._api.pagelocked_empty, shape, dtype)
        self._later(array.base.free)
        array.fill(0)
        return array  # type: ignore[no-any-return]

    def memory(self, size: int) -> int:
        """Allocates `size` bytes on the device, and returns their address."""
        allocation = self._do("allocating memory", self._api.mem_alloc, max(size, 1))
        self._later(allocation.free)
        return int(allocation)

    def upload(self, array: NDArray[Any], stream: Any) -> int:
        """Copies an array of any shape to the device, and returns its address. The copy is complete on return."""
        address = self.memory(array.nbytes)
        self.copy_in(address, np.ascontiguousarray(array), stream)
        self.finish(stream)
        return address

    def copy_in(self, target: int, source: NDArray[Any], stream: Any) -> None:
        """Copies pinned memory of any shape to the device, in the stream's order."""
        self._do("copying to the GPU", self._api.memcpy_htod_async, target, source, stream)

    def copy_out(self, target: NDArray[Any], source: int, stream: Any) -> None:
        """Copies from the device into pinned memory of any shape, in the stream's order."""
        self._do("copying from the GPU", self._api.memcpy_dtoh_async, target, source, stream)

    def zero(self, target: int, words: int, stream: Any) -> None:
        """Sets 32-bit words to zero, in the stream's order."""
        self._do("clearing memory", self._api.memset_d32_async, target, 0, words, stream)

    def kernels(self, code: bytes, formats: Dict[str, str]) -> Dict[str, Launch]:
        """Returns the functions of a cubin by name. Each is called as f(grid, block, stream, *arguments).

        Args:
            formats: by function, the format of its arguments for `struct`.
        """
        module = self._do("loading the kernels", self._api.module_from_buffer, code)
        self._later(lambda module=module: None)  # type: ignore[misc]  # functions do not keep their module
        functions: Dict[str, Launch] = {}
        for name, form in formats.items():
            function = self._do("loading the kernels", module.get_function, name)
            function.prepare(form)
            functions[name] = partial(self._do, f"starting {name}", function.prepared_async_call)
        return functions

    def graph(self, stream: Any, calls: Callable[[], None]) -> Optional[Graph]:
        """Captures what `calls` puts into the stream. Returns None if the driver or a library refuses the capture."""
        try:
            graph = Graph(stream.handle, calls)
        except DeviceError:
            return None
        self._later(graph.close)
        return graph

    def finish(self, stream: Any) -> None:
        """Sleeps until everything in the stream is done."""
        self._do("running", stream.synchronize)

    def milliseconds(self, begin: Any, end: Any) -> float:
        """Returns the milliseconds between two events that have happened."""
        return float(self._do("telling the time", end.time_since, begin))

    def record(self, event: Any, stream: Any) -> None:
        """Puts the event into the stream, after everything that is in it."""
        self._do("recording an event", event.record, stream)

    def wait(self, event: Any) -> None:
        """Sleeps until the event has happened."""
        self._do("running", event.synchronize)

    def free_memory(self) -> Tuple[int, int]:
        """Returns (free, total) bytes of the device."""
        free, total = self._do("asking for memory", self._api.mem_get_info)
        return int(free), int(total)

    def close(self) -> None:
        """Frees everything in reverse order. Must run in the thread that opened the device. May be repeated."""
        while self._undo:
            with suppress(Exception):  # after a failed kernel every call fails, but all of them must be made
                self._undo.pop()()

    def _later(self, undo: Callable[[], None]) -> None:
        self._undo.append(undo)

    def _do(self, what: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except self._api.Error as error:
            said = f"{what} failed: {error}"
            hint = OUT_OF_MEMORY if isinstance(error, self._api.MemoryError) else "edge-doctor shows the GPU's state"
            raise DeviceError(said, hint=hint) from error
