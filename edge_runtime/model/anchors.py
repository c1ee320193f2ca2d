"""Anchors of families that do not write them into their files, as users give them: by name or as numbers."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from edge_runtime.files import fields
from edge_runtime.files.fields import Field
from edge_runtime.model.spec import FIELDS

Anchors = Tuple[Tuple[Tuple[float, float], ...], ...]

SETS: Dict[str, Anchors] = {  # by level, finest stride first; (width, height) in pixels of the model's input
    "yolov5": (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326))),
    "yolov7": (((12, 16), (19, 36), (40, 28)), ((36, 75), (76, 55), (72, 146)), ((142, 110), (192, 243), (459, 401))),
}  # fmt: skip
EXPECTED = f"{', '.join(SETS)}, or w,h,w,h/w,h,w,h with a / between levels"


def _taken(value: Any) -> Anchors:
    if not isinstance(value, str):
        return FIELDS["anchors"].take(value)  # type: ignore[no-any-return]
    if value in SETS:
        return SETS[value]
    levels = [[float(number) for number in level.split(",")] for level in value.split("/")]
    if any(len(level) % 2 for level in levels):
        raise ValueError("an odd count")
    return FIELDS["anchors"].take([list(zip(level[::2], level[1::2])) for level in levels])  # type: ignore[no-any-return]


FIELD: Field = fields.Field(EXPECTED, _taken)
