"""Boxes from the outputs of a network that has run: decoding, thresholds and NMS."""

from __future__ import annotations

from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_runtime import heads
from edge_runtime.detect.understand import Model
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops

Floats = NDArray[np.float32]


class OutputReader:
    """Reads outputs as one family does. A head without a `DecodeSpec` decodes them in numpy. One thread uses it."""

    def __init__(self, model: Model) -> None:
        self._model, self._head = model, heads.load_head(model.spec.family)
        self._decoders: Dict[Tuple[Tuple[int, ...], ...], ops.Decoder] = {}

    def boxes(
        self, outputs: Sequence[Floats], frame: ArrayLike, thresholds: Thresholds,
        class_ids: Optional[Iterable[int]] = None,
    ) -> Floats:  # fmt: skip
        """Boxes (n, 6) float32 `[x1, y1, x2, y2, score, class_id]` in pixels of the image, best first.

        Args:
            outputs: of one image, any shape without the batch axis.
            frame: (6,) float64, where the image lies in the input, from `ops.frame_row`.
            class_ids: the classes that are reported; None for all.

        Raises:
            SpecError: outputs of such shapes are not this model's.
        """
        if self._model.decode is None:
            read = [outputs[number] for number in self._model.read]
            outputs = self._head.decode(read, self._model.spec)
        tensors = [np.ascontiguousarray(output[None], np.float32) for output in outputs]
        decoder = self._decoder(tensors)
        rows, counts = np.zeros((1, thresholds.max_det, 6), np.float32), np.zeros(1, np.int32)
        mask = decoder.class_mask(range(decoder.num_classes) if class_ids is None else class_ids)
        decoder(tensors, np.array([frame], np.float64), thresholds, mask, rows, counts)
        return rows[0, : counts[0]].copy()

    def _decoder(self, tensors: List[Floats]) -> ops.Decoder:
        shapes = tuple(tensor.shape for tensor in tensors)
        if shapes not in self._decoders:
            decode = self._model.decode or dense(*tensors[1].shape[1:])
            self._decoders[shapes] = ops.Decoder(decode, shapes)
        return self._decoders[shapes]


def dense(count: int, num_classes: int) -> DecodeSpec:
    """Describes the result of every head's numpy decode: corners (N, 4) in model pixels and scores (N, C)."""
    level = Level((count, 1), View(0, 0, 0, 4, 1), View(1, 0, 0, num_classes, 1))
    return DecodeSpec("xyxy", (level,), num_classes)
