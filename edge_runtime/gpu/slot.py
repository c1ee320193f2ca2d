"""The GPU buffers of one batch, and the calls that process it. All calls run in the device's thread."""

from __future__ import annotations

from contextlib import suppress
from math import ceil
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DeviceError
from edge_runtime.gpu import kernels, packing
from edge_runtime.gpu.cuda import Device, Launch
from edge_runtime.gpu.cuda_driver import Graph
from edge_runtime.gpu.outputs import DeviceOutputs
from edge_runtime.gpu.plan_file import Engine
from edge_runtime.model import geometry, inputs
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from edge_runtime.native.pictures import Picture, planes_of, size_of
from edge_runtime.types import Images

IMAGE_WORDS, FRAME_WORDS = packing.IMAGE_WORDS, 6
LINE = 64  # bytes; planes begin at multiples of it
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
    """Buffers, stream and graph of one batch. Only the buffers of images can grow later.

    Attributes:
        boxes, counts: results, in pinned memory.
        outputs: the network's raw outputs.
        stream: the stream of all its calls.
        behind: the calls after the network.
    """

    def __init__(self, device: Device, engine: Engine, io: ModelIO, shared: Constants, mapped: bool) -> None:
        self._device, self._io, self._shared, self._mapped = device, io, shared, mapped
        self.stream, self._begun, self._copied, self._done = device.stream(), *(device.event() for _ in range(3))
        self._batch = io.input_shape[0]
        self._graph: Optional[Graph] = None
        self._parameters = device.pinned((self._batch * (IMAGE_WORDS + FRAME_WORDS),), np.int64)
        self.images = self._parameters[: self._batch * IMAGE_WORDS].reshape(self._batch, IMAGE_WORDS)
        self.frames = self._parameters[self._batch * IMAGE_WORDS :].view(np.float64).reshape(self._batch, FRAME_WORDS)
        self._there = device.memory(self._parameters.nbytes)
        self._pixels: List[NDArray[np.uint8]] = [np.zeros(0, np.uint8)] * self._batch
        self._addresses, self._filled = [0] * self._batch, [0] * self._batch
        self._tensors = {name: device.memory(_bytes(io, name)) for name in (io.input_name, *io.outputs)}
        self._context = engine.context()
        if -1 in tuple(engine.engine.get_tensor_shape(io.input_name)):
            self._context.set_input_shape(io.input_name, io.input_shape)
        for name, shape in io.others.items():
            if -1 in tuple(engine.engine.get_tensor_shape(name)):
                self._context.set_input_shape(name, shape)
        given = {name: device.upload(values, self.stream) for name, values in inputs.given(io).items()}
        for name, address in {**self._tensors, **given}.items():
            self._context.set_tensor_address(name, address)
        self.boxes = device.pinned((self._batch, shared.max_det, 6), np.float32)
        self.counts = device.pinned((self._batch,), np.int32)
        self.outputs = DeviceOutputs(device, self.stream, io, self._tensors, shared.kernels)
        self.behind = self._decoding() if shared.decode is not None else self._fetching()

    def holds(self, images: Images) -> bool:
        """Whether the buffers have room for these pictures."""
        sizes = zip(self._pixels, self._padded(images))
        return all(pixels.size >= sum(_sizes(image)) for pixels, image in sizes)

    def grow(self, images: Images) -> None:
        """Makes room for pictures of these sizes, and for half as much in addition.

        Must be called in the device's thread, while no batch is running.
        """
        for number, image in enumerate(self._padded(images)):
            size = sum(_sizes(image))
            if self._pixels[number].size < size:
                self._replace(number, size * 3 // 2)

    def fill(self, images: Images) -> None:
        """Copies pictures into pinned memory, as they are: BGR or planes. May run in any thread."""
        spec = self._shared.spec
        for number, image in enumerate(self._padded(images)):
            addresses, strides, at = [], [], 0
            for plane, size in zip(planes_of(image), _sizes(image)):
                np.copyto(self._pixels[number][at : at + plane.size].reshape(plane.shape), plane)
                addresses.append(self._addresses[number] + at)
                strides.append(plane.size // len(plane))
                at += size
            self._filled[number] = at
            box = geometry.fit(size_of(image), spec.input_wh, spec.resize)
            self.images[number] = packing.pack_picture(image, addresses, strides, box)
            self.frames[number] = ops.frame_row(box, size_of(image))

    def enqueue(self) -> None:
        """Starts the batch: first the copies, whose size varies, then the graph, which is the same for all sizes."""
        device, stream = self._device, self.stream
        device.record(self._begun, stream)
        if not self._mapped:
            for address, pixels, size in zip(self._addresses, self._pixels, self._filled):
                device.copy_in(address, pixels[:size], stream)
        device.record(self._copied, stream)
        if self._graph is not None:
            self._graph.launch(stream.handle)
        else:
            self._run()
        device.record(self._done, stream)

    def wait(self) -> Tuple[float, float]:
        """Sleeps until the batch is done. Returns the milliseconds of the copies, and of everything after them."""
        device = self._device
        device.wait(self._done)
        return device.milliseconds(self._begun, self._copied), device.milliseconds(self._copied, self._done)

    def capture(self) -> bool:
        """Runs once, which TensorRT needs, then captures the calls. Returns False if the capture is refused."""
        self._run()
        self._device.finish(self.stream)
        capturable = getattr(self._context, "is_stream_capturable", None)  # TensorRT-RTX can tell it in advance
        if capturable is None or capturable(self.stream.handle):
            self._graph = self._device.graph(self.stream, self._run)
        return self._graph is not None

    def address(self, name: str) -> int:
        """Returns the device address of one of the network's tensors."""
        return self._tensors[name]

    def close(self) -> None:
        """Waits for a running batch and frees the execution context. The device frees the rest."""
        with suppress(DeviceError):  # a GPU that failed runs no batch
            self._device.finish(self.stream)
        self._context = None

    def _run(self) -> None:
        device, stream, shared = self._device, self.stream, self._shared
        device.copy_in(self._there, self._parameters, stream)
        width, height = self._io.input_wh
        spec, half = shared.spec, self._io.dtypes[self._io.input_name] == "float16"
        shared.kernels["edge_letterbox16" if half else "edge_letterbox32"](
            (ceil(width * height / PIXELS[0]), self._batch, 1), PIXELS, stream, self._there, shared.normalisation,
            self._tensors[self._io.input_name], width, height, spec.pad_value, int(spec.color == "rgb"),
        )  # fmt: skip
        if not self._context.execute_async_v3(stream.handle):
            raise DeviceError("TensorRT does not run the engine", hint="edge-doctor shows the GPU's state")
        self.behind()

    def _decoding(self) -> Callable[[], None]:
        """Returns the calls after the network if the GPU decodes its outputs."""
        device, stream, shared, batch = self._device, self.stream, self._shared, self._batch
        widened = self.outputs.addresses
        pointers = device.upload(np.array(list(widened.values()), np.int64), stream)
        strides = np.array([int(np.prod(self._io.outputs[name][1:])) for name in widened], np.int64)
        held = device.upload(strides, stream)
        found = device.memory(packing.CANDIDATE_BYTES * shared.room * batch)
        counts, rows, written = device.memory(4 * batch), device.memory(self.boxes.nbytes), device.memory(4 * batch)
        frames = self._there + 8 * IMAGE_WORDS * batch

        def calls() -> None:
            self.outputs.widen()
            device.zero(counts, batch, stream)
            shared.kernels["edge_candidates"](
                (ceil(shared.boxes / CANDIDATES[0]), batch, 1), CANDIDATES, stream, *shared.packed, pointers, held,
                len(widened), shared.mask, shared.boxes, found, shared.room, counts,
            )  # fmt: skip
            shared.kernels["edge_suppress"](
                (batch, 1, 1), SUPPRESS, stream, *shared.packed, found, shared.room, counts, frames, rows, written
            )
            device.copy_out(self.boxes, rows, stream)
            device.copy_out(self.counts, written, stream)

        return calls

    def _fetching(self) -> Callable[[], None]:
        """Returns the calls after the network if the host decodes its outputs."""
        self.outputs.hold()

        def calls() -> None:
            self.outputs.widen()
            self.outputs.copy()

        return calls

    def _padded(self, images: Images) -> Images:
        """Returns a full batch. Missing images are replaced by the last one."""
        return [*images, *[images[-1]] * (self._batch - len(images))]

    def _replace(self, number: int, size: int) -> None:
        device, old = self._device, self._pixels[number]
        if old.size:
            device.free(old.ctypes.data)
            if not self._mapped:
                device.free(self._addresses[number])
        self._pixels[number] = pixels = device.pinned((size,), np.uint8, self._mapped)
        self._addresses[number] = device.address(pixels) if self._mapped else device.memory(size)


def _sizes(picture: Picture) -> List[int]:
    """Bytes of each plane, with those before the next."""
    return [-(-plane.size // LINE) * LINE for plane in planes_of(picture)]


def _bytes(io: ModelIO, name: str) -> int:
    shape = io.input_shape if name == io.input_name else io.outputs[name]
    return int(np.prod(shape)) * np.dtype(io.dtypes[name]).itemsize
