"""Boxes from recorded outputs: decoding, thresholds and NMS, without the network."""

from __future__ import annotations

from typing import List

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detect.detector import Detector
from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.errors import SpecError
from edge_runtime.model import geometry
from edge_runtime.native import ops
from edge_runtime.native.pictures import size_of
from edge_runtime.types.pixels import Pixels


class OutputDecoder:
    """Decodes outputs as the detector's backend does. One thread uses it.

    Args:
        detector: says how.
    """

    def __init__(self, detector: Detector) -> None:
        self._model, self._thresholds = detector.model, detector.options.thresholds
        self._reader = OutputReader(self._model)

    def __call__(self, outputs: List[NDArray[np.float32]], picture: Pixels) -> NDArray[np.float32]:
        """Returns the boxes (n, 6) `[x1, y1, x2, y2, score, class_id]` in pixels of the picture.

        Args:
            outputs: of the network for this picture, each (...) float32 without a batch.

        Raises:
            SpecError: outputs of such shapes are not this model's.
        """
        spec, image_wh = self._model.spec, size_of(picture)
        if len(outputs) != len(self._model.io.outputs):
            raise SpecError(f"{len(outputs)} outputs, and the engine has {len(self._model.io.outputs)}",
                            hint="give the engine that was recorded")  # fmt: skip
        frame = ops.frame_row(geometry.fit(image_wh, spec.input_wh, spec.resize), image_wh)
        return self._reader.boxes(outputs, frame, self._thresholds, self._thresholds.class_ids(spec.labels))
