"""Thresholds: which candidates become detections."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Iterator, Optional, Sequence, Union

from edge_runtime.errors import SpecError
from edge_runtime.files import fields
from edge_runtime.files.fields import Field, check_fields


@dataclass(frozen=True)
class Thresholds:
    """Which candidates become detections.

    Attributes:
        conf: only scores above it are reported, 0..1.
        iou: a candidate that overlaps a better one of its class by more than this is dropped, 0..1.
        max_det: largest number of detections per image.
        classes: class ids or names to report, one or several; None for all. Names become ids once the model is known.
        multi_label: report every class of a box that is above `conf`, instead of only its best class. None: only if
            conf <= 0.01, which is how mAP is measured.
    """

    conf: float = 0.25
    iou: float = 0.45
    max_det: int = 300
    classes: Union[int, str, Sequence[Union[int, str]], None] = None
    multi_label: Optional[bool] = None

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", SpecError).items():
            object.__setattr__(self, name, value)

    def class_ids(self, labels: Sequence[str]) -> Sequence[int]:
        """Returns the ids of the wanted classes; all ids if no class was named.

        Raises:
            SpecError: the model does not have a class of that name or id, or the list is empty.
        """
        if self.classes is None:
            return range(len(labels))
        ids = [_class_id(wanted, labels) for wanted in _listed(self.classes, labels)]
        if not ids:
            raise SpecError("classes names no class", hint="for all classes, do not give it")
        return ids

    @property
    def per_box_classes(self) -> bool:
        """Whether a box may be reported under several classes."""
        return self.conf <= 0.01 if self.multi_label is None else self.multi_label


MOST_BOXES = 100_000
_NAME, _ID = fields.text(), fields.whole(0, 1 << 31)
_CLASS = Field("a class name or number", lambda value: (_NAME if isinstance(value, str) else _ID).take(value))
FIELDS = {
    "conf": fields.number(0, 1),
    "iou": fields.number(0, 1),
    "max_det": fields.whole(1, MOST_BOXES),
    "classes": fields.optional(fields.several(_CLASS, alone=True)),
    "multi_label": fields.optional(fields.flag()),
}


def _listed(classes: Any, labels: Sequence[str]) -> Iterator[Any]:
    """Yields the classes one by one. `dog,cat` is two classes, except if the model has a class of exactly that name."""
    for wanted in classes:
        if isinstance(wanted, str) and wanted not in labels:
            yield from (word.strip() for word in wanted.split(",") if word.strip())
        else:
            yield wanted


def _class_id(wanted: Any, labels: Sequence[str]) -> int:
    if isinstance(wanted, str) and wanted in labels:  # a name that is a number is a name first
        return list(labels).index(wanted)
    if isinstance(wanted, (str, Integral)) and str(wanted).isdecimal() and int(wanted) < len(labels):
        return int(wanted)
    raise SpecError(
        f"the model has no class {wanted!r}", hint=f"its classes are 0..{len(labels) - 1}: {', '.join(labels)}"
    )
