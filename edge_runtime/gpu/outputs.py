"""The network's outputs on the device: as float32 for the decoder, and copied to the host when somebody asks."""

from __future__ import annotations

from math import ceil
from typing import Any, Dict, List

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DeviceError
from edge_runtime.gpu.cuda import Device, Launch
from edge_runtime.model.spec import ModelIO

MOST_OUTPUTS = 32  # the limit in kernels.cu
TO_FLOAT = {"float16": "edge_widen", "int32": "edge_from_int32", "int64": "edge_from_int64"}  # kernels, by dtype
THREADS = (256, 1, 1)  # of a block


class DeviceOutputs:
    """The outputs of one batch. All calls run in the device's thread.

    Args:
        tensors: device address of each output, in the network's own type.

    Attributes:
        addresses: device address of each output in float32.
        arrays: the outputs in pinned memory, as of the last `copy`; empty before `hold`.
    """

    def __init__(
        self, device: Device, stream: Any, io: ModelIO, tensors: Dict[str, int], kernels: Dict[str, Launch]
    ) -> None:
        """Raises DeviceError if there are more outputs than the kernels can read."""
        if len(io.outputs) > MOST_OUTPUTS:
            raise DeviceError(
                f"the engine has {len(io.outputs)} outputs", hint=f"export it with at most {MOST_OUTPUTS} outputs"
            )
        self._device, self._stream, self._io, self._tensors, self._kernels = device, stream, io, tensors, kernels
        self.addresses = {name: device.memory(4 * self._count(name)) if io.dtypes[name] in TO_FLOAT else tensors[name]
                          for name in io.outputs}  # fmt: skip
        self.arrays: List[NDArray[Any]] = []

    def widen(self) -> None:
        """Starts the conversion to float32."""
        for name, address in self.addresses.items():
            if address != self._tensors[name]:
                kernel, count = self._kernels[TO_FLOAT[self._io.dtypes[name]]], self._count(name)
                kernel((ceil(count / THREADS[0]), 1, 1), THREADS, self._stream, self._tensors[name], address, count)

    def hold(self) -> None:
        """Allocates `arrays`."""
        self.arrays = [self._device.pinned(self._io.outputs[name], np.float32) for name in self.addresses]

    def copy(self) -> None:
        """Starts the copy to `arrays`."""
        for output, address in zip(self.arrays, self.addresses.values()):
            self._device.copy_out(output, address, self._stream)

    def fetch(self) -> None:
        """Copies to `arrays`, and waits. No batch may be running."""
        if not self.arrays:
            self.hold()
        self.copy()
        self._device.finish(self._stream)

    def _count(self, name: str) -> int:
        return int(np.prod(self._io.outputs[name]))
