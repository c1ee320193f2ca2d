"""What a user may say about tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Tuple, Type

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import Field, check_fields
from edge_runtime.track.places import Line, Place, Zone


@dataclass(frozen=True)
class TrackOptions:
    """How objects are tracked. The method is ByteTrack; see `native.tracking.ByteTrack`.

    Attributes:
        track_threshold: a box with at least this confidence may begin a track, 0..1.
        low_threshold: a box with less confidence than that, but at least this, may only go on with a track, 0..1. The
            detector must report such boxes: its `conf` is not higher. Those without a track are left out.
        match_iou: a box belongs to a track if it overlaps the place where the track should be by more than this, 0..1.
        low_match_iou: the same for a box below `track_threshold`.
        lost_s: an object that was not seen for longer gets a new id, seconds.
        min_hits: frames in a row in which an object must be found before it gets an id.
        by_class: a box of another class is another object, so an id never changes its class. Without it, an object
            keeps its id where the detector takes it for another class for a while; so it is in the paper, and in
            `supervision`, `trackers` and `ultralytics`.
        lines: objects that cross them are counted.
        zones: objects in them are counted, and timed.
    """

    track_threshold: float = 0.25
    low_threshold: float = 0.1
    match_iou: float = 0.2
    low_match_iou: float = 0.5
    lost_s: float = 1.0
    min_hits: int = 2
    by_class: bool = False
    lines: Tuple[Line, ...] = ()
    zones: Tuple[Zone, ...] = ()

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)
        if self.low_threshold > self.track_threshold:
            fact = f"low_threshold {self.low_threshold:g} is above track_threshold {self.track_threshold:g}"
            raise UsageError(fact, hint="give a lower one")
        for places in (self.lines, self.zones):
            names = [place.name for place in places]
            if len(set(names)) < len(names):
                raise UsageError(f"two of {', '.join(names)} have one name", hint="give each its own")


def _instance(kind: Type[Place]) -> Field:
    """An object of a class."""

    def fitting(value: Any) -> Place:
        if not isinstance(value, kind):
            raise TypeError
        return value

    return Field(f"a {kind.__name__}", fitting)


LONGEST_S = 3600.0
FIELDS = {
    "track_threshold": fields.number(0, 1),
    "low_threshold": fields.number(0, 1),
    "match_iou": fields.number(0, 1),
    "low_match_iou": fields.number(0, 1),
    "lost_s": fields.number(0, LONGEST_S),
    "min_hits": fields.whole(1, 1000),
    "by_class": fields.flag(),
    "lines": fields.several(_instance(Line)),
    "zones": fields.several(_instance(Zone)),
}
