"""A GPU with the backend's slots, with copies instead of a network. It runs also where TensorRT does not."""

from __future__ import annotations

from ctypes import c_size_t, c_uint64, c_void_p
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.gpu import cuda, cuda_driver, packing
from edge_runtime.gpu.slot import Constants, DeviceSlot
from edge_runtime.model import geometry
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from edge_runtime.native.pictures import planes_of, size_of
from edge_runtime.types import Images

LIMITS = Thresholds(conf=0.25, iou=0.45, max_det=300)


class CopyEngine:
    """Stands in for a network: copies given outputs."""

    def __init__(self, device: cuda.Device, stream: Any, io: ModelIO, outputs: Sequence[NDArray[Any]]) -> None:
        self.engine, self._io = self, io
        self._sources = {n: (device.upload(a, stream), a.nbytes) for n, a in zip(io.outputs, outputs)}

    def get_tensor_shape(self, name: str) -> Tuple[int, ...]:
        """As TensorRT's."""
        return tuple(self._io.input_shape if name == self._io.input_name else self._io.outputs[name])

    def context(self) -> Any:
        """Works like TensorRT's context: it is told where the tensors are, then it runs."""
        addresses: Dict[str, int] = {}
        sources = self._sources
        lib: Any = cuda_driver.driver()

        class Context:
            def set_tensor_address(self, name: str, address: int) -> None:
                addresses[name] = address

            def execute_async_v3(self, handle: int) -> bool:
                codes = [
                    lib.cuMemcpyDtoDAsync_v2(c_uint64(addresses[n]), c_uint64(at), c_size_t(size), c_void_p(handle))
                    for n, (at, size) in sources.items()
                ]
                return not any(codes)

        return Context()


class Lab:
    """One device, and slots on it."""

    def __init__(self) -> None:
        self.device = cuda.Device()
        self.stream = self.device.stream()
        self._slots: List[DeviceSlot] = []

    def slot(
        self,
        spec: ModelSpec,
        decode: Optional[DecodeSpec],
        outputs: Sequence[NDArray[Any]],
        half: bool = False,
        limits: Thresholds = LIMITS,
        mapped: bool = False,
    ) -> DeviceSlot:
        """A slot whose network gives these outputs for every input.

        Args:
            outputs: arrays of any shape, batch first.
            half: the input is float16.
            mapped: pictures are read in the host's memory.
        """
        names = {f"o{number}": array.shape for number, array in enumerate(outputs)}
        dtypes = {"images": "float16" if half else "float32", **dict.fromkeys(names, "float32")}
        width, height = spec.input_wh
        io = ModelIO("images", (len(outputs[0]), 3, height, width), names, {}, dtypes)
        constants = Constants(self.device, self.stream, io, spec, decode, limits)
        engine: Any = CopyEngine(self.device, self.stream, io, outputs)
        self._slots.append(DeviceSlot(self.device, engine, io, constants, mapped))
        return self._slots[-1]

    def run(self, slot: DeviceSlot, images: Images) -> None:
        """Runs one batch of pictures of any shapes and waits for it."""
        slot.enqueue(images)
        slot.start()
        slot.wait()

    def run_by_python(self, slot: DeviceSlot, images: Images) -> None:
        """Does what `run` does, for pictures of any shapes, without the core's loop: call by call."""
        for number in range(len(slot.images)):
            image = images[min(number, len(images) - 1)]
            box = geometry.fit(size_of(image), slot.spec.input_wh, slot.spec.resize)
            planes = [np.ascontiguousarray(plane) for plane in planes_of(image)]
            addresses = [self.device.upload(plane, self.stream) for plane in planes]
            strides = [plane.nbytes // len(plane) for plane in planes]
            slot.images[number] = packing.pack_picture(image, addresses, strides, box)
            slot.frames[number] = ops.frame_row(box, size_of(image))
        slot.run(len(slot.images))
        self.device.finish(slot.stream)

    def close(self) -> None:
        """Frees everything."""
        while self._slots:
            self._slots.pop().close()
        self.device.close()
