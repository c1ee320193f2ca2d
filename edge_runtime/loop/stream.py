"""A source with settings of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Optional, Sequence, Union

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import Field, check_fields
from edge_runtime.model import thresholds
from edge_runtime.sources import SourceOptions
from edge_runtime.track.options import TrackOptions


@dataclass(frozen=True)
class Stream:
    """A source of a `Pipeline`, with what is different for it. What is None is as for the whole pipeline.

        Pipeline(detector, [Stream("gate.mp4", conf=0.6, classes=["person"]), "yard.mp4"])

    Attributes:
        source: open, or a URI, a path or a camera number.
        name: of the source in all results; None for its address.
        conf: only scores above it are reported, 0..1. The detector must report such boxes: its `conf` is not higher.
        class_conf: the same for single classes, by name.
        classes: class ids or names to report. A box has one class here, the one with the best score.
        track: how objects are tracked, with lines and zones; False tracks nothing. `conf` and `class_conf` take the
            place of its `track_threshold`.
        options: for a source that is opened.
        sinks: outputs of this stream alone, open or as path or URI.
    """

    source: Any
    name: Optional[str] = None
    conf: Optional[float] = None
    class_conf: Mapping[str, float] = field(default_factory=dict)
    classes: Any = None
    track: Union[TrackOptions, bool, None] = None
    options: Optional[SourceOptions] = None
    sinks: Sequence[Any] = ()

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)


def as_stream(item: Any) -> Stream:
    """The source as a stream, if it is none."""
    return item if isinstance(item, Stream) else Stream(item)


def own_options(stream: Stream, options: SourceOptions) -> SourceOptions:
    """The options of a stream. What it does not say of sizes and waiting is as for the others."""
    own = stream.options
    if own is None:
        return options
    return replace(own, wait=own.wait or options.wait, shrink_wh=own.shrink_wh or options.shrink_wh)


def check_names(streams: Sequence[Stream]) -> None:
    """Refuses streams of the same name.

    Raises:
        UsageError: two have one.
    """
    names = [stream.name for stream in streams if stream.name is not None]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two streams have the name {twice!r}", hint="give each its own")


def _track(value: Any) -> Union[TrackOptions, bool, None]:
    if value is None or value is False or isinstance(value, TrackOptions):
        return value
    raise TypeError


def _sinks(value: Any) -> Sequence[Any]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


FIELDS = {
    "source": fields.anything(),
    "name": fields.optional(Field("a text of 1 to 200 characters", lambda value: fields.text(200).take(value or None))),
    "conf": fields.optional(fields.number(0, 1)),
    "class_conf": fields.mapping(fields.number(0, 1)),
    "classes": thresholds.FIELDS["classes"],
    "track": Field("TrackOptions, False or None", _track),
    "options": fields.anything(),
    "sinks": Field("outputs", _sinks),
}
