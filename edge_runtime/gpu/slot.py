"""The GPU buffers of one batch, and the calls that process it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from math import ceil
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DeviceError
from edge_runtime.gpu import kernels, packing
from edge_runtime.gpu.contexts import make_contexts
from edge_runtime.gpu.cuda import Device, Launch
from edge_runtime.gpu.cuda_driver import Graph
from edge_runtime.gpu.outputs import DeviceOutputs
from edge_runtime.gpu.plan_file import Engine
from edge_runtime.model import inputs
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from edge_runtime.native.device import Layout, Slot
from edge_runtime.native.pictures import Picture, check_picture
from edge_runtime.types import Images

IMAGE_WORDS, FRAME_WORDS = packing.IMAGE_WORDS, 6
MOST_LAYOUTS = 256  # that are kept, of pictures of different sizes
FORMATS = {
    "edge_letterbox32": "PPPiiii",
    "edge_letterbox16": "PPPiiii",
    "edge_widen": "PPi",
    "edge_from_int32": "PPi",
    "edge_from_int64": "PPi",
    "edge_candidates": "PPPPiPiPiP",
    "edge_suppress": "PPPiPPPP",
}
PIXELS, CANDIDATES, SUPPRESS = (256, 1, 1), (128, 1, 1), (1024, 1, 1)  # threads of a block


class Constants:
    """What all slots share: the kernels, and the description of the outputs in device memory."""

    def __init__(
        self,
        device: Device,
        stream: Any,
        io: ModelIO,
        spec: ModelSpec,
        decode: Optional[DecodeSpec],
        thresholds: Thresholds,
    ) -> None:
        """Raises SpecError if the description reaches outside the outputs, or the model lacks a wanted class."""
        self.spec, self.decode, self.max_det = spec, decode, thresholds.max_det
        self.kernels: Dict[str, Launch] = device.kernels(kernels.cubin(device.capability), FORMATS)
        self.normalisation = device.upload(packing.normalisation(spec), stream)
        if decode is not None:
            words, numbers = packing.pack_decode(decode, thresholds)
            self.packed = device.upload(words, stream), device.upload(numbers, stream)
            checked = ops.Decoder(decode, io.shapes)  # a kernel would read beyond the end
            self.mask = device.upload(checked.class_mask(thresholds.class_ids(spec.labels)), stream)
            self.boxes, self.room = packing.boxes(decode), packing.candidate_capacity(decode, thresholds)


class DeviceSlot:
    """Buffers, stream and graph of one batch. Any thread may call `enqueue` and `wait`; the rest is the device's own.

    Attributes:
        boxes, counts: results, in pinned memory.
        outputs: the network's raw outputs.
        stream: the stream of all its calls.
        batch: pictures of the whole batch.
        behind: the calls after the network, for so many pictures.
        captured: whether there is a graph.
        images, frames: what the kernels read of each picture, in pinned memory; see `native.device.Slot`.
        spec: how pictures become the network's input.
    """

    def __init__(self, device: Device, engine: Engine, io: ModelIO, shared: Constants, mapped: bool) -> None:
        self._device, self._io, self._shared, self.spec = device, io, shared, shared.spec
        self.stream, self.captured = device.stream(), False
        self.batch = io.input_shape[0]
        self._graphs: Dict[int, Graph] = {}
        self._parameters = device.pinned((self.batch * (IMAGE_WORDS + FRAME_WORDS),), np.int64)
        self.images = self._parameters[: self.batch * IMAGE_WORDS].reshape(self.batch, IMAGE_WORDS)
        self.frames = self._parameters[self.batch * IMAGE_WORDS :].view(np.float64).reshape(self.batch, FRAME_WORDS)
        self._loop = Slot(device.gpu, self.stream.handle, self.images, self.frames, mapped)
        self._layouts: Dict[Tuple[Any, ...], Layout] = {}
        self._there = device.memory(self._parameters.nbytes)
        self._tensors = {name: device.memory(_bytes(io, name)) for name in (io.input_name, *io.outputs)}
        given = {name: device.upload(values, self.stream) for name, values in inputs.given(io).items()}
        self._contexts = make_contexts(engine, io, {**self._tensors, **given})  # each has a graph of its own
        self._fill = self.batch
        self.boxes = device.pinned((self.batch, shared.max_det, 6), np.float32)
        self.counts = device.pinned((self.batch,), np.int32)
        self.outputs = DeviceOutputs(device, self.stream, io, self._tensors, shared.kernels)
        self.behind = self._decoding() if shared.decode is not None else self._fetching()

    def enqueue(self, images: Images) -> None:
        """Starts a batch of 1 to B pictures, of any shapes and formats. Without a graph, `start` must follow.

        Raises:
            SpecError: a picture that is none.
            DeviceError: the GPU refuses.
        """
        self._fill = len(images) if len(images) in self._contexts else self.batch
        try:
            if self.captured and self.splits:
                self._loop.set_graph(self._graphs[self._fill].handle)
            self._loop.enqueue(tuple([self._given(image) for image in images]))
        except (AttributeError, ValueError):
            for image in images:
                check_picture(image)
            raise

    def start(self) -> None:
        """Makes the calls one by one if there is no graph."""
        if not self.captured:
            try:
                self.run(self._fill)
            finally:  # what a failed run has put into the stream still reads the pictures
                self._loop.started()

    def wait(self) -> Tuple[float, float, float]:
        """Sleeps until the batch is done. Returns milliseconds; see `native.device.Slot.wait`."""
        return self._loop.wait()

    def capture(self) -> bool:
        """Runs once, which TensorRT needs, then captures the calls. Returns False if the capture is refused."""
        for count, context in self._contexts.items():
            self.run(count)
            self._device.finish(self.stream)
            if self._capturable(context):
                graph = self._device.graph(self.stream, partial(self.run, count))
                if graph is not None:
                    self._graphs[count] = graph
        self.captured = len(self._graphs) == len(self._contexts)
        if self.captured:
            self._loop.set_graph(self._graphs[self.batch].handle)
        return self.captured

    @property
    def splits(self) -> bool:
        """Whether one picture runs alone, at its own cost."""
        return len(self._contexts) > 1

    @property
    def capturable(self) -> bool:
        """Whether TensorRT does not say that its engine cannot be captured."""
        return all(map(self._capturable, self._contexts.values()))

    def _capturable(self, context: Any) -> bool:
        can = getattr(context, "is_stream_capturable", None)  # TensorRT-RTX can tell it in advance
        return can is None or bool(can(self.stream.handle))

    def address(self, name: str) -> int:
        """Returns the device address of one of the network's tensors."""
        return self._tensors[name]

    def close(self) -> None:
        """Waits for a running batch and frees the execution context. The device frees the rest."""
        with suppress(DeviceError):  # a GPU that failed runs no batch
            self._device.finish(self.stream)
        self._loop.close()
        self._contexts.clear()

    def run(self, count: int) -> None:
        """Makes the calls from the letterbox to the boxes one by one, or puts them into a graph that is captured.

        Args:
            count: pictures: the whole batch, or 1 if the slot `splits`.
        """
        device, stream, shared = self._device, self.stream, self._shared
        device.copy_in(self._there, self._parameters, stream)
        width, height = self._io.input_wh
        spec, half = shared.spec, self._io.dtypes[self._io.input_name] == "float16"
        shared.kernels["edge_letterbox16" if half else "edge_letterbox32"](
            (ceil(width * height / PIXELS[0]), count, 1), PIXELS, stream, self._there, shared.normalisation,
            self._tensors[self._io.input_name], width, height, spec.pad_value, int(spec.color == "rgb"),
        )  # fmt: skip
        self.network(count)
        self.behind(count)

    def network(self, count: int) -> None:
        """Runs the network alone, for so many pictures."""
        if not self._contexts[count].execute_async_v3(self.stream.handle):
            raise DeviceError("TensorRT does not run the engine", hint="edge-doctor shows the GPU's state")

    def _decoding(self) -> Callable[[int], None]:
        """Returns the calls after the network if the GPU decodes its outputs."""
        device, stream, shared, batch = self._device, self.stream, self._shared, self.batch
        widened = self.outputs.addresses
        pointers = device.upload(np.array(list(widened.values()), np.int64), stream)
        strides = np.array([int(np.prod(self._io.outputs[name][1:])) for name in widened], np.int64)
        held = device.upload(strides, stream)
        found = device.memory(packing.CANDIDATE_BYTES * shared.room * batch)
        counts, rows, written = device.memory(4 * batch), device.memory(self.boxes.nbytes), device.memory(4 * batch)
        frames = self._there + 8 * IMAGE_WORDS * batch

        def calls(count: int) -> None:
            self.outputs.widen()
            device.zero(counts, count, stream)
            shared.kernels["edge_candidates"](
                (ceil(shared.boxes / CANDIDATES[0]), count, 1), CANDIDATES, stream, *shared.packed, pointers, held,
                len(widened), shared.mask, shared.boxes, found, shared.room, counts,
            )  # fmt: skip
            shared.kernels["edge_suppress"](
                (count, 1, 1), SUPPRESS, stream, *shared.packed, found, shared.room, counts, frames, rows, written
            )
            device.copy_out(self.boxes, rows, stream)
            device.copy_out(self.counts, written, stream)

        return calls

    def _fetching(self) -> Callable[[int], None]:
        """Returns the calls after the network if the host decodes its outputs."""
        self.outputs.hold()

        def calls(count: int) -> None:
            self.outputs.widen()
            self.outputs.copy()

        return calls

    def _given(self, picture: Picture) -> Tuple[Layout, Tuple[NDArray[np.uint8], ...]]:
        """A picture as the loop takes it. Layouts are made once for a format and size."""
        key: Tuple[Any, ...]
        planes: Tuple[NDArray[np.uint8], ...]
        if isinstance(picture, np.ndarray):
            key, planes = picture.shape, (picture,)
        else:
            planes = tuple(picture.planes)
            key = (picture.format, picture.width, picture.height, picture.matrix, picture.full_range)
        layout = self._layouts.get(key)
        if layout is None:
            check_picture(picture)
            if len(self._layouts) >= MOST_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[key] = packing.layout_of(picture, self.spec)
        return layout, planes


def _bytes(io: ModelIO, name: str) -> int:
    shape = io.input_shape if name == io.input_name else io.outputs[name]
    return int(np.prod(shape)) * np.dtype(io.dtypes[name]).itemsize
