"""Shared parts of backends that run on the host: slots, preprocessing, decoding, and a worker thread per stream."""

from __future__ import annotations

import os
import threading
import time
from queue import SimpleQueue
from time import perf_counter
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import BackendOptions
from edge_runtime.backends._failures import check_batch, check_buffers
from edge_runtime.errors import SpecError
from edge_runtime.machine import cores, cpu_ticks
from edge_runtime.model import inputs, outputs
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape
from edge_runtime.native import ops
from edge_runtime.types import Images

Array = NDArray[np.generic]
Run = Callable[[], Sequence[Array]]
Bind = Callable[[Dict[str, Array], Dict[str, Array]], Run]


class HostSlot:
    """Buffers of one batch in flight. `run` executes the model from `feeds` into `fetches`.

    Preprocessing writes `tensor`, postprocessing reads `outputs`. They are the same memory as the image's feed and as
    `fetches`, or float32 copies of them if the model has another precision or layout. `run` returns the lists whose
    length differs from image to image, in order.
    """

    def __init__(self, io: ModelIO, max_det: int) -> None:
        batch = io.input_shape[0]
        self.feed = _aligned(io.stored_input, io.dtypes[io.input_name])
        self.feeds = {io.input_name: self.feed, **inputs.given(io)}
        self.fetches = {name: _aligned(shape, io.dtypes[name]) for name, shape in fixed(io).items()}
        self.tensor = np.zeros(io.input_shape, np.float32) if io.channels_last else _as_float32(self.feed)
        self.lists = {name: np.zeros(shape, np.float32) for name, shape in outputs.lists(io).items()}
        copies = {name: _as_float32(array) for name, array in self.fetches.items()}
        self.outputs = [{**copies, **self.lists}[name].reshape(shape) for name, shape in io.outputs.items()]
        self._copied = [(copy, self.fetches[name]) for name, copy in copies.items() if copy is not self.fetches[name]]
        self.frames = np.zeros((batch, 6), np.float64)
        self.boxes = np.zeros((batch, max_det, 6), np.float32)
        self.counts = np.zeros(batch, np.int32)
        self.stage_ms = {"preprocess": 0.0, "inference": 0.0, "postprocess": 0.0}
        self.run: Run = lambda: ()
        self.each: List[Run] = []  # runs of the single images, if the model takes them one by one, too
        self.filled, self.pending = 0, False
        self.done = threading.Lock()
        self.error: Optional[BaseException] = None

    def infer(self) -> None:
        """Runs the model and measures the time."""
        started = perf_counter()
        if self.tensor is not self.feed:
            self._convert()
        if self.filled < len(self.each):  # the cost is that of the images that are there
            for run in self.each[: self.filled]:
                run()
        else:
            for rows, list_ in zip(self.lists.values(), self.run()):
                outputs.fill(rows, list_)
        for output, fetched in self._copied:
            np.copyto(output, fetched)
        self.stage_ms["inference"] = (perf_counter() - started) * 1e3

    def bind(self, bind: Bind, splits: bool) -> None:
        """Gives the buffers to a library: all, and, if it `splits`, also those of each image."""
        self.run = bind(self.feeds, self.fetches)
        for number in range(len(self.feed) if splits else 0):
            self.each.append(bind(_one(self.feeds, number), _one(self.fetches, number)))

    def _convert(self) -> None:
        if self.feed.dtype == np.uint8:
            np.clip(np.rint(self.tensor, out=self.tensor), 0, 255, out=self.tensor)
        planar = self.feed.shape == self.tensor.shape
        np.copyto(self.feed, self.tensor if planar else np.moveaxis(self.tensor, 1, -1), casting="unsafe")


def _one(arrays: Dict[str, Array], number: int) -> Dict[str, Array]:
    return {name: array[number : number + 1] for name, array in arrays.items()}


def fixed(io: ModelIO) -> Dict[str, Shape]:
    """Shapes in the file of the outputs whose size is the same for all images."""
    return {name: io.stored.get(name, shape) for name, shape in io.outputs.items() if name not in outputs.lists(io)}


class HostBackend:
    """A backend on the host. A member passes `bind`, which gives a slot's buffers to its library and returns `run`.

    `bind` gets the inputs and the outputs of fixed size by name: of a batch, and, if the model `splits`, of one image.
    With several streams, as many slots run at once.
    """

    def __init__(
        self,
        name: str,
        description: str,
        spec: ModelSpec,
        decode: Optional[DecodeSpec],
        io: ModelIO,
        bind: Bind,
        options: BackendOptions,
        splits: bool = False,
    ) -> None:
        check_batch(options.batch, io.input_shape[0])
        names = [io.input_name, *io.outputs]
        self._streams = options.streams or 1
        self.slots, self.batch = options.slots * self._streams, io.input_shape[0]
        check_buffers([io.input_shape, *io.shapes], [io.dtypes[name] for name in names], self.slots)
        self.name, self.description, self.splits = name, description, splits
        self._spec, self._thresholds = spec, options.thresholds
        self._decoder = ops.Decoder(decode, io.shapes) if decode else None
        class_ids = options.thresholds.class_ids(spec.labels)
        self._mask = self._decoder.class_mask(class_ids) if self._decoder else None
        self._slots = [HostSlot(io, options.thresholds.max_det) for _ in range(self.slots)]
        for slot in self._slots:
            slot.bind(bind, splits)
        self._queue: SimpleQueue[Optional[HostSlot]] = SimpleQueue()
        self._workers: List[threading.Thread] = []

    def start(self) -> None:
        while len(self._workers) < self._streams:
            worker = threading.Thread(target=self._work, name=f"{self.name}-inference", daemon=True)
            worker.start()
            self._workers.append(worker)

    def enqueue(self, slot: int, images: Images) -> None:
        started = perf_counter()
        state = self._slots[slot]
        if not 1 <= len(images) <= self.batch:
            raise SpecError(f"{len(images)} images for a batch of {self.batch}", hint="pass 1 to batch images")
        for number, image in enumerate(images):
            state.frames[number] = ops.prepare_image(image, self._spec, state.tensor[number])
        state.stage_ms["preprocess"] = (perf_counter() - started) * 1e3
        state.error, state.pending, state.filled = None, True, len(images)
        if self._workers:
            state.done.acquire()
            self._queue.put(state)

    def wait(self, slot: int) -> Tuple[NDArray[np.float32], NDArray[np.int32]]:
        state = self._slots[slot]
        if state.pending:
            if self._workers:
                with state.done:
                    pass
            else:
                state.infer()
            state.pending = False
            if state.error is not None:
                raise state.error
            self._decode(state)
        return state.boxes, state.counts

    def outputs(self, slot: int) -> Sequence[NDArray[np.float32]]:
        return self._slots[slot].outputs

    def allocate(self, shape: Tuple[int, ...]) -> Optional[NDArray[np.uint8]]:
        return None

    def stage_ms(self, slot: int) -> Dict[str, float]:
        return self._slots[slot].stage_ms

    def close(self) -> None:
        for _ in self._workers:
            self._queue.put(None)
        while self._workers:
            self._workers.pop().join()

    def _decode(self, state: HostSlot) -> None:
        if self._decoder is None or self._mask is None:
            return
        started = perf_counter()
        self._decoder(state.outputs, state.frames, self._thresholds, self._mask, state.boxes, state.counts)
        state.stage_ms["postprocess"] = (perf_counter() - started) * 1e3

    def _work(self) -> None:
        for state in iter(self._queue.get, None):
            try:
                state.infer()
            except BaseException as error:  # passed to the thread that waits
                state.error = error
            state.done.release()


def auto_threads(options: BackendOptions) -> int:
    """Number of inference threads: as asked, else all cores that this process may use."""
    return options.threads or cores()


def words(options: BackendOptions, threads: int, spinning: bool = False) -> str:
    """How a backend runs, for its description: "4 threads in 2 streams, spinning"."""
    streams = f" in {options.streams} streams" if options.streams > 1 else ""
    return f"{threads} thread{'s'[: threads > 1]}{streams}{', spinning' if spinning else ''}"


def auto_spinning(options: BackendOptions, threads: int) -> bool:
    """Whether idle inference threads should spin. It is faster on a quiet machine, and much slower on a busy one.

    A machine is quiet if other processes leave a core for each inference thread.
    """
    if options.spinning is not None:
        return options.spinning
    return busy_cores() + threads <= cores() + 0.5


def busy_cores(sample_s: float = 0.05) -> float:
    """Cores of this machine in use while the caller sleeps briefly (the load average would include our own past)."""
    try:
        busy, total = cpu_ticks()
        time.sleep(sample_s)
        busy_later, total_later = cpu_ticks()
    except OSError:  # not Linux
        return os.getloadavg()[0]
    return (os.cpu_count() or 1) * (busy_later - busy) / max(total_later - total, 1)


def _aligned(shape: Shape, dtype: str) -> NDArray[np.generic]:
    """Zeros that start at a cache line. Numpy's own start 16 bytes later, so each wide load would need two lines."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def _as_float32(array: NDArray[np.generic]) -> NDArray[np.float32]:
    return array if array.dtype == np.float32 else np.zeros(array.shape, np.float32)  # type: ignore[return-value]
