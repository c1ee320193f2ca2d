"""Runs a head without a DecodeSpec: its numpy decode, then the native NMS on the dense result."""

from __future__ import annotations

from typing import Dict, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend
from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.detect.understand import Model
from edge_runtime.model import geometry
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from edge_runtime.native.pictures import size_of
from edge_runtime.types import Images


class NumpyDecoded:
    """A backend whose boxes come from `heads/<family>.decode`. All else is done by the backend that it wraps."""

    def __init__(self, backend: Backend, model: Model, thresholds: Thresholds) -> None:
        self._backend, self._model, self._thresholds = backend, model, thresholds
        self._reader = OutputReader(model)
        self.name, self.slots, self.batch = backend.name, backend.slots, backend.batch
        self.splits = backend.splits
        self.description = f"{backend.description}, boxes decoded in numpy"
        self._frames = np.zeros((self.slots, self.batch, 6))
        self._boxes = np.zeros((self.slots, self.batch, thresholds.max_det, 6), np.float32)
        self._counts = np.zeros((self.slots, self.batch), np.int32)

    def start(self) -> None:
        self._backend.start()

    def enqueue(self, slot: int, images: Images) -> None:
        for number, image in enumerate(images):
            image_wh = size_of(image)
            box = geometry.fit(image_wh, self._model.spec.input_wh, self._model.spec.resize)
            self._frames[slot, number] = ops.frame_row(box, image_wh)
        self._backend.enqueue(slot, images)

    def wait(self, slot: int) -> Tuple[NDArray[np.float32], NDArray[np.int32]]:
        self._backend.wait(slot)
        for number in range(self.batch):
            outputs = [output[number] for output in self._backend.outputs(slot)]
            class_ids = self._thresholds.class_ids(self._model.spec.labels)
            rows = self._reader.boxes(outputs, self._frames[slot, number], self._thresholds, class_ids)
            self._boxes[slot, number, : len(rows)] = rows
            self._counts[slot, number] = len(rows)
        return self._boxes[slot], self._counts[slot]

    def outputs(self, slot: int) -> Sequence[NDArray[np.float32]]:
        return self._backend.outputs(slot)

    def allocate(self, shape: Tuple[int, ...]) -> Optional[NDArray[np.uint8]]:
        return self._backend.allocate(shape)

    def stage_ms(self, slot: int) -> Dict[str, float]:
        return self._backend.stage_ms(slot)

    def close(self) -> None:
        self._backend.close()
