"""Sinks write or show results.

A member is a module with

    HANDLES                                  suffixes (".jsonl"), schemes ("yolo:") or names ("window") it opens
    PRIORITY                                 the highest is preferred if several match (default 0)
    ONE_PICTURE                              True if it shows all sources in one picture, as a grid (optional)
    open(target, options) -> Sink
    open_events(target, options) -> EventSink   instead of `open`: a member that takes events, not frames
    WITHOUT_IDS                              True if it takes events also where no object has an id (optional)
    check(target, options) -> str            refuses what `open` refuses, and opens nothing: see below (optional)

A sink that must know the names or rates of the sources has `begin(rates)`; see `begin` below. If it must also know
those that come later, it has `admit(source, rate)`. It may have a `note`.
One that shows the whole run has `observe(run)`; see `RunView`.
One that needs encoded pictures has `before_s`, the seconds to keep, and `follow(rings)`, with a `PacketRing` by source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Collection, Dict, Mapping, Optional, Protocol, Sequence, Tuple, Union, cast

from edge_runtime.errors import UsageError
from edge_runtime.sinks._grid import Grid
from edge_runtime.sinks._members import member_of, of_events, refuse_odd, resolved
from edge_runtime.sinks._paths import SOURCE, is_clips, is_stdout, is_yolo, written_path, written_paths
from edge_runtime.sinks._per_source import PerSource
from edge_runtime.sinks._video_options import CODECS, VIDEO_FIELDS, VideoOptions
from edge_runtime.track.places import Line, Zone
from edge_runtime.types import Result
from edge_runtime.types.events import Event

__all__ = [
    "CODECS", "VIDEO_FIELDS", "AnySink", "EventSink", "RunView", "SavePlaces", "Sink", "SinkOptions", "VideoOptions",
    "admit", "begin", "check", "is_clips", "is_stdout", "is_yolo", "needs_ids", "note", "observe", "open",
    "open_events", "takes_events", "written_path", "written_paths",
]  # fmt: skip
SavePlaces = Callable[[str, Tuple[Line, ...], Tuple[Zone, ...]], None]


@dataclass(frozen=True)
class SinkOptions:
    """What a sink may need to know.

    Attributes:
        fps: nominal rate for video files, if a sink is used without a pipeline. A pipeline gives it by `begin`.
        labels: the model's class names, for legends.
        video: size and encoder of video files.
        ids: whether objects of some source have ids. A pipeline says it.
        save: keeps the lines and zones of a source, which somebody has drawn on the page. It raises an EdgeError if it
            cannot. None if there is no configuration file to keep them in.
    """

    fps: float = 30.0
    labels: Sequence[str] = field(default=())
    video: VideoOptions = field(default_factory=VideoOptions)
    save: Optional[SavePlaces] = None
    ids: bool = False


class Sink(Protocol):
    """An open sink. One thread calls it. `target` is as the user gave it."""

    target: str

    def write(self, result: Result) -> None:
        """Takes one result. The image is valid only during the call.

        Raises:
            SinkError: it could not be written. Everything written before is intact.
        """

    def close(self) -> None:
        """Finishes files so that they are complete. It may be called more than once.

        Raises:
            SinkError: they could not be finished.
        """


class EventSink(Protocol):
    """An open sink of events. One thread calls it. `target` is as the user gave it, without a password.

    A `Sink` that also has `take` gets frames and events, each from a thread of its own.
    """

    target: str

    def take(self, event: Event) -> None:
        """Takes one event without waiting for a network: what cannot be sent now is kept, in a bounded place.

        Raises:
            SinkError: no later event can be taken either.
        """

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON: how many events were sent, wait, and were lost, and the state of the connection."""

    def close(self) -> None:
        """Sends what it can in a bounded time, and keeps or counts the rest. It may be called more than once."""


AnySink = Union[Sink, EventSink]


class RunView(Protocol):
    """What a sink may see of the run. `figures` waits for other sinks, all else waits for nothing."""

    def figures(self) -> Dict[str, Any]:
        """Figures of now, and rates of the last seconds, as plain data; see `loop.view.View`."""

    def stuck(self) -> str:
        """Why the run must be started anew; "" if it goes on."""

    def unready(self) -> str:
        """Why there are no results now; "" if there are."""

    def sources(self) -> Collection[str]:
        """The names of the sources, without those that were removed."""


def open(target: str, options: SinkOptions = SinkOptions()) -> Sink:
    """Opens a sink by path or URI: `out.jsonl`, `out.mp4`, `dir/`, `yolo:labels/`, `window`; or `env:NAME`, `@FILE`.

    `{source}` in the target stands for the name of a source: each source gets its own sink.

    Raises:
        SinkError: it cannot be written.
        UsageError: no member handles such a target, or it takes events.
    """
    target = resolved(target)
    member = member_of(target)
    if of_events(member):
        raise UsageError(f"{target!r} takes events, not frames", hint="give it to a Pipeline, which makes them")
    refuse_odd(target, member)
    if SOURCE in target:
        return PerSource(target, lambda named: open(named, options), begin)
    sink = cast(Sink, member.open(target, options))
    return Grid(sink, begin) if getattr(member, "ONE_PICTURE", False) else sink


def open_events(target: str, options: SinkOptions = SinkOptions()) -> EventSink:
    """Opens a sink that takes events alone: `events:out.jsonl`.

    Raises:
        SinkError: it cannot be written.
        UsageError: no member handles such a target, or it takes frames.
    """
    target = resolved(target)
    member = member_of(target)
    if not of_events(member):
        raise UsageError(f"{target!r} takes frames, not events", hint="expected one like events:out.jsonl")
    refuse_odd(target, member)
    return cast(EventSink, member.open_events(target, options))


def check(target: str, options: SinkOptions = SinkOptions()) -> str:
    """Refuses what cannot be opened here: no address, a file of a token that is missing, an encoder that does not work.

    Nothing is opened. That a file can be written is not looked at.

    Returns:
        Why it cannot be opened just now, such as a port that is taken; "" if there is no reason.

    Raises:
        BackendUnavailable, SinkError, UsageError: it is such a target.
    """
    target = resolved(target)
    member = member_of(target)
    refuse_odd(target, member)
    look = getattr(member, "check", None)
    return "" if look is None else str(look(target, options))


def takes_events(target: str) -> bool:
    """Whether a target is for events alone.

    Raises:
        UsageError: no member handles such a target.
    """
    return of_events(member_of(resolved(target)))


def needs_ids(target: str) -> bool:
    """Whether a target is of no use unless objects are tracked.

    Raises:
        UsageError: no member handles such a target.
    """
    return takes_events(target) and not getattr(member_of(resolved(target)), "WITHOUT_IDS", False)


def begin(sink: AnySink, rates: Mapping[str, float]) -> None:
    """Tells a sink the nominal frames per second of each source, by name. Call it once, before the first result.

    A pipeline opens sinks before cameras, so that no camera starts for an output that cannot be written.
    """
    tell = getattr(sink, "begin", None)
    if tell is not None:
        tell(rates)


def admit(sink: AnySink, source: str, rate: float) -> None:
    """Tells a sink of a source that was added while a pipeline runs, before its first result. It may be known already.

    Args:
        rate: nominal frames per second.

    Raises:
        SinkError: the output of this source cannot be written.
    """
    tell = getattr(sink, "admit", None)
    if tell is not None:
        tell(source, rate)


def observe(sink: AnySink, run: Callable[[], RunView]) -> None:
    """Shows the run to a sink that wants to see it. Call it once, before the first event."""
    look = getattr(sink, "observe", None)
    if look is not None:
        look(run())


def note(sink: AnySink) -> str:
    """What people should know of a sink that has begun, such as the encoder of a video; "" if there is nothing."""
    return str(getattr(sink, "note", ""))
