"""What travels from source to sink: Frame, Detections, Result; and Truth, what they are compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint

if TYPE_CHECKING:
    import supervision

Images = Sequence[NDArray[np.uint8]]  # each (H, W, 3) BGR, of any size


@dataclass
class Frame:
    """One image and where it came from.

    Attributes:
        image: (H, W, 3) uint8 BGR. In a pipeline it is a leased buffer: valid until the last sink has released it.
        source: name of the source, as the user gave it.
        index: counts from 0 in each source; dropped frames leave gaps.
        timestamp_s: when it was captured: media time for files, `time.time()` for live sources; seconds.
        path: the file it was read from, for images; else None.
    """

    image: NDArray[np.uint8]
    source: str
    index: int
    timestamp_s: float
    path: Optional[str] = None


@dataclass
class Detections:
    """Boxes found in one image, best first; the field names are those of `supervision`.

    Attributes:
        xyxy: (n, 4) float32, `[x1, y1, x2, y2]`, image pixels, clipped to the image.
        confidence: (n,) float32 in 0..1.
        class_id: (n,) int32, index into the model's labels.
        labels: the model's class names; shared, not copied.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int32]
    labels: Sequence[str] = field(default=(), repr=False)

    @classmethod
    def from_rows(cls, rows: NDArray[np.float32], labels: Sequence[str] = ()) -> Detections:
        """Copies (n, 6) float32 rows `[x1, y1, x2, y2, confidence, class_id]`, so that a slot can be used again."""
        return cls(rows[:, :4].copy(), rows[:, 4].copy(), rows[:, 5].astype(np.int32), labels)

    def __len__(self) -> int:
        return len(self.xyxy)

    def label(self, index: int) -> str:
        """Class name of one detection; the number as text where the model has no name for it."""
        class_id = int(self.class_id[index])
        return self.labels[class_id] if 0 <= class_id < len(self.labels) else str(class_id)

    def to_dict(self) -> List[Dict[str, Any]]:
        """Plain data: `{"class_id", "label", "confidence", "box": [x1, y1, x2, y2]}` for each, image pixels."""
        rows = zip(self.xyxy.tolist(), self.confidence.tolist(), self.class_id.tolist())
        return [
            {
                "class_id": class_id,
                "label": self.label(i),
                "confidence": round(confidence, 4),
                "box": [round(v, 2) for v in box],
            }
            for i, (box, confidence, class_id) in enumerate(rows)
        ]

    def to_supervision(self) -> supervision.Detections:
        """The same boxes as `supervision.Detections`, names in `data["class_name"]`.

        Raises:
            BackendUnavailable: supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise BackendUnavailable("supervision is not installed", hint=install_hint("supervision")) from error
        names = np.array([self.label(i) for i in range(len(self))], dtype=str)
        return supervision.Detections(
            xyxy=self.xyxy,
            confidence=self.confidence,
            class_id=self.class_id.astype(int),
            data={"class_name": names},
        )


@dataclass
class Result:
    """What a pipeline hands to its sinks: a frame and what was found in it.

    Attributes:
        frame: the image; see `Frame.image` for how long it is valid.
        detections: the boxes, in pixels of `frame.image`; owned by the result.
        stage_ms: milliseconds spent per stage: capture, preprocess, inference, postprocess.
        latency_ms: from the arrival of the frame to its boxes, milliseconds; waiting included.
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
        crowd: (n,) bool, COCO's flag: one box around many; None for none.
        area: (n,) float64, COCO's area of the outline in square pixels, which sorts objects into small, medium and
            large; None for the area of the boxes.
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
