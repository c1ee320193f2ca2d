"""The boxes of one image, and their conversions."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError, UsageError
from edge_runtime.imaging.drawing import annotated
from edge_runtime.imaging.picture import Picture, picture_path, to_bgr, write_picture
from edge_runtime.types import convert

if TYPE_CHECKING:
    import pandas
    import supervision

UNTRACKED = -1  # in `tracker_id`, as in supervision
OWN_IMAGE = "draw(image) and save(path, image) want the image that the boxes were found in"


class Detection(NamedTuple):
    """One box of `Detections`.

    Attributes:
        xyxy: `(x1, y1, x2, y2)`, image pixels.
        confidence: 0..1.
        class_id: index into the model's labels.
        label: class name; the number as text if the model has no name for it.
        tracker_id: number of the object, the same in all frames; None if it is not tracked.
    """

    xyxy: Tuple[float, float, float, float]
    confidence: float
    class_id: int
    label: str
    tracker_id: Optional[int] = None


@dataclass
class Detections:
    """Boxes found in one image, best first. The field names are those of `supervision`.

        for box in detections:                      # each a Detection
            print(box.label, box.confidence, box.xyxy)
        sure = detections[detections.confidence > 0.5]

    An int gives one `Detection`. A slice, a list of numbers or a mask (n,) gives `Detections`, copied.
    Two are equal if their boxes, confidences, classes, ids and names are equal. The image does not matter.

    Attributes:
        xyxy: (n, 4) float32, `[x1, y1, x2, y2]`, image pixels, clipped to the image.
        confidence: (n,) float32 in 0..1.
        class_id: (n,) int32, index into the model's labels.
        labels: the model's class names. They are shared, not copied.
        source: name of the source of a pipeline, or path of the picture; None for an array.
        path: the picture file; None if the image was not a file.
        image_wh: (width, height) of the image, pixels.
        tracker_id: (n,) int32, number of each object, the same in all frames of a source; -1 for a box that belongs to
            no object yet. None if nothing tracks.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int32]
    labels: Sequence[str] = ()
    source: Optional[str] = None
    path: Optional[str] = None
    image_wh: Optional[Tuple[int, int]] = None
    tracker_id: Optional[NDArray[np.int32]] = None
    _picture: Any = None  # a weak reference, or None

    @classmethod
    def from_rows(cls, rows: NDArray[np.float32], labels: Sequence[str] = ()) -> Detections:
        """Copies (n, 6) float32 rows `[x1, y1, x2, y2, confidence, class_id]`, so that their slot can be used again."""
        return cls(rows[:, :4].copy(), rows[:, 4].copy(), rows[:, 5].astype(np.int32), labels)

    def found_in(self, picture: Picture, image: NDArray[np.uint8]) -> None:
        """Remembers what a caller passed: the path of a file, or a weak reference to an object, so it can be freed.

        Args:
            picture: as it was passed.
            image: (H, W, 3) uint8 BGR, the array made of it.
        """
        self.source = self.path = picture_path(picture) or None
        self.image_wh = int(image.shape[1]), int(image.shape[0])
        self._picture = None if isinstance(picture, (str, os.PathLike)) else weakref.ref(picture)

    def __len__(self) -> int:
        return len(self.xyxy)

    def __iter__(self) -> Iterator[Detection]:
        ids = [UNTRACKED] * len(self) if self.tracker_id is None else self.tracker_id.tolist()
        arrays = (self.xyxy, self.confidence, self.class_id)
        for box, confidence, class_id, number in zip(*(array.tolist() for array in arrays), ids):
            name = self._name(class_id)
            yield Detection(tuple(box), confidence, class_id, name, None if number == UNTRACKED else number)

    @overload
    def __getitem__(self, index: Union[int, np.integer[Any]]) -> Detection: ...

    @overload
    def __getitem__(self, index: Union[slice, Sequence[int], Sequence[bool], NDArray[Any]]) -> Detections: ...

    def __getitem__(self, index: Any) -> Union[Detection, Detections]:
        if isinstance(index, list):  # old numpy takes a list of lists for a tuple
            index = np.asarray(index, None if index else np.intp)
        kept = np.arange(len(self))[index]  # numpy understands every kind of index, and these numbers make a copy
        if kept.ndim == 0:
            return next(iter(self[[int(kept)]]))
        if kept.ndim != 1:
            raise IndexError(f"an index of {kept.ndim} dimensions; detections have one")
        ids = None if self.tracker_id is None else self.tracker_id[kept]
        xyxy, confidence, class_id = self.xyxy[kept], self.confidence[kept], self.class_id[kept]
        return replace(self, xyxy=xyxy, confidence=confidence, class_id=class_id, tracker_id=ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        names = ("xyxy", "confidence", "class_id", "tracker_id")
        same = (np.array_equal(getattr(self, name), getattr(other, name)) for name in names)
        return all(same) and list(self.labels) == list(other.labels)

    def __repr__(self) -> str:
        found = [f"{box.label!r} {box.confidence:.2f}" for box in self[:5]]
        more = ["…"] if len(self) > len(found) else []
        return f"Detections({len(self)}{': ' if found else ''}{', '.join(found + more)})"

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_picture": None}  # a weak reference cannot be pickled

    def label(self, index: int) -> str:
        """Class name of one detection; the number as text if the model has no name for it."""
        return self._name(int(self.class_id[index]))

    def draw(self, image: Optional[Picture] = None) -> NDArray[np.uint8]:
        """The image with boxes, names and confidences drawn in.

        Args:
            image: the image that the boxes were found in, in any form that `Detector` takes. None reads the file again.
                Or it uses the array or Pillow image that was passed to the detector, if the caller still holds it.

        Returns:
            (H, W, 3) uint8 BGR, a new array.

        Raises:
            UsageError: the image is gone.
            SpecError: the image has another size.
            SourceError: the picture file cannot be read.
            BackendUnavailable: OpenCV cannot be loaded.
        """
        bgr = to_bgr(self._image() if image is None else image)
        height, width = bgr.shape[:2]
        if self.image_wh not in (None, (width, height)):
            raise SpecError(f"image is {width}x{height}, the boxes are of one of {self.image_wh}", hint=OWN_IMAGE)
        return annotated(bgr, self)

    def save(self, path: Union[str, os.PathLike[str]], image: Optional[Picture] = None) -> None:
        """Writes the result of `draw` to a picture file, completely or not at all. The suffix says the format.

        Raises:
            UsageError: the path is the picture that the boxes were found in, or it cannot be written; also see `draw`.
        """
        read = [self.path or "", "" if image is None else picture_path(image)]
        if any(os.path.exists(path) and os.path.exists(file) and os.path.samefile(path, file) for file in read):
            raise UsageError(f"{os.fspath(path)!r} is the picture itself", hint="save under another name")
        write_picture(path, self.draw(image))

    def to_dict(self) -> List[Dict[str, Any]]:
        """Plain data: `{"class_id", "label", "confidence", "box": [x1, y1, x2, y2]}` for each, image pixels.

        If something tracks, each has "tracker_id", a number or None.
        """
        return [
            {
                "class_id": box.class_id,
                "label": box.label,
                "confidence": round(box.confidence, 4),
                "box": [round(v, 2) for v in box.xyxy],
                **({} if self.tracker_id is None else {"tracker_id": box.tracker_id}),
            }
            for box in self
        ]

    def to_coco(
        self, image_id: Union[int, str] = 0, category_ids: Union[Sequence[int], Mapping[int, int], None] = None
    ) -> List[Dict[str, Any]]:
        """COCO results: `{"image_id", "category_id", "bbox": [x, y, width, height], "score"}` for each, image pixels.

        Args:
            image_id: the image's id in the data set.
            category_ids: the data set's id for each class id; None uses the class ids themselves.

        Raises:
            UsageError: a class has no category id.
        """
        ids = range(1 << 31) if category_ids is None else category_ids
        xywh = np.hstack([self.xyxy[:, :2], self.xyxy[:, 2:] - self.xyxy[:, :2]]).tolist()
        try:
            return [
                {"image_id": image_id, "category_id": ids[box.class_id], "bbox": bbox, "score": box.confidence}
                for box, bbox in zip(self, xywh)
            ]
        except LookupError as error:
            raise UsageError("a class that was found has no category id", hint="give one for each label") from error

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each box: x1, y1, x2, y2 (image pixels), confidence, class_id, label, and tracker_id if tracked.

        Raises:
            BackendUnavailable: pandas is not installed.
        """
        return convert.to_pandas(self)

    def to_supervision(self) -> supervision.Detections:
        """The same boxes as `supervision.Detections`, with the ids, and the names in `data["class_name"]`.

        Raises:
            BackendUnavailable: supervision is not installed.
        """
        return convert.to_supervision(self)

    def _name(self, class_id: int) -> str:
        return self.labels[class_id] if 0 <= class_id < len(self.labels) else str(class_id)

    def _image(self) -> Picture:
        held = self._picture() if self._picture else None
        picture: Optional[Picture] = self.path if held is None else held
        if picture is None:
            raise UsageError("the image of these detections is gone", hint=f"pass it along. {OWN_IMAGE}")
        return picture
