"""The device's loop in the core: it fills memory, copies, launches a graph and waits.

It calls the CUDA driver's own functions, and makes the GPU's primary context current in the calling thread by itself.
TensorRT and pycuda make what it works with.
"""

from __future__ import annotations

from typing import NoReturn, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DeviceError
from edge_runtime.native import _core

OUT_OF_MEMORY = "close other programs, or use a smaller batch or fewer slots"
HINTS = {
    "OUT_OF_MEMORY": OUT_OF_MEMORY,
    "another thread": "use another slot in each thread",
    "closed": "open the model again",
    "does not load": "edge-doctor says what is missing",
    "has no": "update JetPack or the driver",
}
Layout = _core.Layout
Given = Tuple[Tuple[Layout, Tuple[NDArray[np.uint8], ...]], ...]


class Gpu:
    """The primary context of a GPU. It is kept as long as this object, its slots and its memory are.

    Args:
        library: the driver's library.
        number: of the GPU.

    Raises:
        DeviceError: the library does not load or lacks a function, or there is no such GPU.
    """

    def __init__(self, library: str, number: int = 0) -> None:
        self._core: Optional[_core.Gpu] = None
        try:
            self._core = _core.Gpu(library, number)
        except RuntimeError as error:
            _refuse(error)

    @property
    def core(self) -> _core.Gpu:
        """What the core's own objects share."""
        if self._core is None:
            raise DeviceError("the GPU is closed", hint=HINTS["closed"])
        return self._core

    def lend(self, shape: Sequence[int], mapped: bool) -> NDArray[np.uint8]:
        """Returns memory for a picture of any shape, uint8, not cleared. `Slot.enqueue` reads there without a copy.

        It is freed when nobody refers to the array any more. It may be used after the GPU was closed.

        Args:
            mapped: the GPU can read it in place.

        Raises:
            DeviceError: there is not enough memory.
        """
        try:
            return self.core.lend(list(shape), mapped)
        except RuntimeError as error:
            _refuse(error)

    def close(self) -> None:
        """Gives the context up, as soon as slots and memory do too. It may be called more than once."""
        self._core = None


class Slot:
    """The pictures of one batch on their way to the GPU. Any thread may call it, one at a time.

    Args:
        gpu: where it runs.
        stream: handle of its stream, which others made and which must live until `close`.
        words: (B, 23) int64 in pinned memory, filled with `Image` of csrc/pixel.h. The graph copies it to the GPU.
        frames: (B, 6) float64 in pinned memory, filled with `ops.frame_row`. The graph copies it too.
        mapped: the GPU reads pictures in the host's memory.

    Raises:
        DeviceError: the driver refuses.
    """

    def __init__(
        self, gpu: Gpu, stream: int, words: NDArray[np.int64], frames: NDArray[np.float64], mapped: bool
    ) -> None:
        try:
            self._core = _core.Slot(gpu.core, stream, words, frames, mapped)
        except RuntimeError as error:
            _refuse(error)

    def set_graph(self, graph: Optional[int]) -> None:
        """Sets the handle of the graph that `enqueue` launches, or None. It must live until `close`.

        Raises:
            DeviceError: the slot is closed.
        """
        try:
            self._core.set_graph(graph or 0)
        except RuntimeError as error:
            _refuse(error)

    def enqueue(self, pictures: Given) -> None:
        """Copies pictures to the GPU and launches the graph. Without a graph, run the batch and call `started`.

        The caller may change the pictures after the return, except those in memory of `Gpu.lend`: the GPU reads these
        until `wait`. It releases the GIL while it copies more than 4 MiB, or allocates.

        Args:
            pictures: layout and planes of 1 to B pictures.

        Raises:
            ValueError: a plane is not as its layout says.
            DeviceError: the driver refuses, or the slot is closed.
        """
        try:
            self._core.enqueue(pictures)
        except RuntimeError as error:
            _refuse(error)

    def started(self) -> None:
        """Notes that the batch has been put into the stream.

        Raises:
            DeviceError: see `enqueue`.
        """
        try:
            self._core.started()
        except RuntimeError as error:
            _refuse(error)

    def wait(self) -> Tuple[float, float, float]:
        """Sleeps until the batch is done, without the GIL. Without a batch it returns the last result.

        Returns:
            Milliseconds of filling memory on the host, of copying, and of everything after that on the GPU.

        Raises:
            DeviceError: the batch failed on the GPU, or the slot is closed.
        """
        try:
            return self._core.wait()
        except RuntimeError as error:
            _refuse(error)

    def close(self) -> None:
        """Waits for what runs, and frees everything. It may be called more than once.

        Raises:
            DeviceError: another thread uses the slot.
        """
        try:
            self._core.close()
        except RuntimeError as error:
            _refuse(error)


def _refuse(error: RuntimeError) -> NoReturn:
    fact = str(error)
    hint = next((way for word, way in HINTS.items() if word in fact), "edge-doctor shows the GPU's state")
    raise DeviceError(fact, hint=hint) from error
