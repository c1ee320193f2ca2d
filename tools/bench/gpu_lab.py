"""A GPU with the backend's slots on it, and copies in the place of a network."""

from __future__ import annotations

from ctypes import c_size_t, c_uint64, c_void_p
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime import cuda, cuda_driver
from edge_runtime.backends._device import Constants, Slot
from edge_runtime.spec import DecodeSpec, ModelIO, ModelSpec, Thresholds

LIMITS = Thresholds(conf=0.25, iou=0.45, max_det=300)


class CopyEngine:
    """In the place of a network: copies given outputs, so that the loop runs where TensorRT does not."""

    def __init__(self, device: cuda.Device, stream: Any, io: ModelIO, outputs: Sequence[np.ndarray]) -> None:
        self.engine, self._io = self, io
        self._sources = {n: (device.upload(a, stream), a.nbytes) for n, a in zip(io.outputs, outputs)}

    def get_tensor_shape(self, name: str) -> Tuple[int, ...]:
        return tuple(self._io.input_shape if name == self._io.input_name else self._io.outputs[name])

    def context(self) -> Any:
        addresses: Dict[str, int] = {}
        sources, lib = self._sources, cuda_driver.driver()

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

    def slot(self, spec: ModelSpec, decode: Optional[DecodeSpec], outputs: Sequence[np.ndarray], half: bool = False,
             limits: Thresholds = LIMITS) -> Slot:  # fmt: skip
        names = {f"o{number}": array.shape for number, array in enumerate(outputs)}
        dtypes = dict.fromkeys(names, "float32")
        width, height = spec.input_wh
        io = ModelIO("images", (len(outputs[0]), 3, height, width), names, {}, {"images": "float16" if half else "float32", **dtypes})  # fmt: skip  # noqa: E501
        constants = Constants(self.device, self.stream, io, spec, decode, limits)
        return Slot(self.device, CopyEngine(self.device, self.stream, io, outputs), io, constants, False)

    def run(self, slot: Slot, images: List[np.ndarray]) -> None:
        slot.grow(images)
        slot.fill(images)
        slot.enqueue()
        slot.wait()

    def close(self) -> None:
        self.device.close()
