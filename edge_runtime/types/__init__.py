"""The data that goes from source to sink: Frame, Detections, Result. And Truth, which they are compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types.detections import Detection, Detections

__all__ = ["Detection", "Detections", "Frame", "Images", "Result", "Truth"]

Images = Sequence[NDArray[np.uint8]]  # each (H, W, 3) BGR, of any size


@dataclass
class Frame:
    """One image and where it came from.

    Attributes:
        image: (H, W, 3) uint8 BGR. In a pipeline it is a shared buffer, valid until the last sink has released it.
        source: name of the source, as the user gave it.
        index: counts from 0 in each source. Dropped frames leave gaps.
        timestamp_s: when it was captured, in seconds: media time for files, `time.time()` for live sources.
        path: the file that an image was read from; else None.
    """

    image: NDArray[np.uint8]
    source: str
    index: int
    timestamp_s: float
    path: Optional[str] = None

    @property
    def image_wh(self) -> Tuple[int, int]:
        """(width, height) of the image, pixels."""
        height, width = self.image.shape[:2]
        return width, height


@dataclass
class Result:
    """What a pipeline passes to its sinks: a frame and the detections in it.

    Attributes:
        frame: the image. `Frame.image` says how long it is valid.
        detections: the boxes, in pixels of `frame.image`. They belong to the result.
        stage_ms: milliseconds spent per stage: capture, preprocess, inference, postprocess.
        latency_ms: milliseconds from the arrival of the frame to its boxes, including the waiting.
    """

    frame: Frame
    detections: Detections
    stage_ms: Dict[str, float] = field(default_factory=dict)
    latency_ms: float = 0.0


@dataclass(frozen=True)
class Truth:
    """The labelled objects of one image.

    Attributes:
        xyxy: (n, 4) float64 `[x1, y1, x2, y2]`, image pixels, continuous: an image spans 0..width.
        class_id: (n,) int.
        difficult: (n,) bool, PASCAL VOC's flag: finding one is neither right nor wrong.
        crowd: (n,) bool, COCO's flag: one box around many objects. None if there is no such box.
        area: (n,) float64, COCO's area of the outline in square pixels. It sorts objects into small, medium and large.
            None uses the area of the boxes.
    """

    xyxy: NDArray[np.float64]
    class_id: NDArray[np.int64]
    difficult: NDArray[np.bool_]
    crowd: Optional[NDArray[np.bool_]] = None
    area: Optional[NDArray[np.float64]] = None

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """(n,) bool: difficult, or a crowd."""
        return self.difficult if self.crowd is None else self.difficult | self.crowd
