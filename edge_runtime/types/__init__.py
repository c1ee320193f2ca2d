"""The data that goes from source to sink: Frame, Detections, Result. And Truth, which they are compared with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from edge_runtime.types.detections import Detection, Detections
from edge_runtime.types.pixels import Pixels
from edge_runtime.types.places import PlaceStates

__all__ = ["Detection", "Detections", "Frame", "Images", "Picture", "Pixels", "Result", "Truth"]

Picture = Union[NDArray[np.uint8], Pixels]
Images = Sequence[Picture]  # each (H, W, 3) BGR, or the pixels of a decoder or camera; of any size


class Frame:
    """One picture and where it came from.

    Args:
        image: see the attribute. None if there are pixels: the image is then made when somebody asks for it.

    Attributes:
        image: (H, W, 3) uint8 BGR. In a pipeline it is a shared buffer, valid until the last sink has released it. It
            is made from `pixels` at the first use, and kept.
        source: name of the source, as the user gave it.
        index: counts from 0 in each source. Dropped frames leave gaps.
        timestamp_s: when it was captured, in seconds: media time for files, counted from the first frame; `time.time()`
            for live sources.
        path: the file that an image was read from; else None.
        pixels: the picture as a decoder or camera gave it; None if the source has only an image. Valid like the image.
    """

    __slots__ = ("_image", "_making", "_spare", "index", "path", "pixels", "source", "timestamp_s")

    def __init__(
        self,
        image: Optional[NDArray[np.uint8]],
        source: str,
        index: int,
        timestamp_s: float,
        path: Optional[str] = None,
        pixels: Optional[Pixels] = None,
    ) -> None:
        if image is None and pixels is None:
            raise UsageError("a frame without a picture", hint="pass an image or pixels")
        self._image, self.pixels = image, pixels
        self.source, self.index, self.timestamp_s, self.path = source, index, timestamp_s, path
        self._making = threading.Lock()
        self._spare: Optional[NDArray[np.uint8]] = None

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR; see the class."""
        if self._image is None:
            assert self.pixels is not None
            with self._making:  # several sinks may ask at the same time
                if self._image is None:
                    self._image, self._spare = self.pixels.bgr(self._spare), None
        return self._image

    @image.setter
    def image(self, image: NDArray[np.uint8]) -> None:
        self._image, self.pixels = image, None  # detectors must read the new one

    @property
    def made(self) -> Optional[NDArray[np.uint8]]:
        """The image (H, W, 3) if there is one already, else the array that was lent for it, else None."""
        return self._spare if self._image is None else self._image

    def lend(self, spare: Optional[NDArray[np.uint8]]) -> None:
        """Lends an array (H, W, 3) uint8 for the image. It is used if it has the right shape."""
        self._spare = spare

    @property
    def picture(self) -> Picture:
        """What detectors read: the pixels, or else the image."""
        return self.image if self.pixels is None else self.pixels

    @property
    def image_wh(self) -> Tuple[int, int]:
        """(width, height) of the image, pixels. It does not make the image."""
        if self.pixels is not None:
            return self.pixels.width, self.pixels.height
        height, width = self.image.shape[:2]
        return width, height

    def __reduce__(self) -> Tuple[Any, ...]:
        return Frame, (self._image, self.source, self.index, self.timestamp_s, self.path, self.pixels)

    def __repr__(self) -> str:
        width, height = self.image_wh
        return f"Frame({width}x{height}, {self.source!r}, {self.index}, {self.timestamp_s})"


@dataclass
class Result:
    """What a pipeline passes to its sinks: a frame and the detections in it.

    Attributes:
        frame: the image. `Frame.image` says how long it is valid.
        detections: the boxes, in pixels of `frame.image`. They belong to the result.
        stage_ms: milliseconds spent per stage: capture, preprocess, inference, postprocess, and tracking.
        latency_ms: milliseconds from the arrival of the frame to its boxes, including the waiting.
        places: the source's lines and zones after this frame; None if nothing tracks.
        gated: whether nothing moved, so that the frame was not inferred: the boxes are those of an earlier frame.
    """

    frame: Frame
    detections: Detections
    stage_ms: Dict[str, float] = field(default_factory=dict)
    latency_ms: float = 0.0
    places: Optional[PlaceStates] = None
    gated: bool = False


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
