"""What a user may say about events."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields


@dataclass(frozen=True)
class EventOptions:
    """How often events come, and how large their pictures are.

    Attributes:
        update_s: seconds from one update of an object to the next, if nothing about it changes.
        change_s: the least seconds between two updates of an object, if its zone or its picture changes.
        counts_s: seconds from one count of a source to the next.
        picture_px: longest side of a picture, pixels. A smaller object is not scaled up.
        quality: of the JPEG, 1..100.
        margin: what a picture shows around the object, as a share of its longest side.
    """

    update_s: float = 1.0
    change_s: float = 0.25
    counts_s: float = 1.0
    picture_px: int = 320
    quality: int = 80
    margin: float = 0.1

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)


_PERIOD = fields.number(0, 3600)
FIELDS = {
    "update_s": _PERIOD,
    "change_s": _PERIOD,
    "counts_s": _PERIOD,
    "picture_px": fields.whole(16, 4096),
    "quality": fields.whole(1, 100),
    "margin": fields.number(0, 1),
}
