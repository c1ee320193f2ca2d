"""Sinks: results out.

A member is a module with

    HANDLES                                  suffixes (".jsonl"), schemes ("mqtt://") or names ("window") it opens
    open(target, options) -> Sink

A sink that has to know the rates of the sources offers `begin(rates)`, see `begin` below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Protocol, Sequence, cast

from edge_runtime import plugins
from edge_runtime.types import Result


@dataclass(frozen=True)
class SinkOptions:
    """What a sink may need to know.

    Attributes:
        fps: nominal rate, for video files, of who opens a sink alone; a pipeline says it by `begin`.
        labels: the model's class names, for legends.
    """

    fps: float = 30.0
    labels: Sequence[str] = field(default=())


class Sink(Protocol):
    """An open sink; one thread calls it. `target` is as the user gave it."""

    target: str

    def write(self, result: Result) -> None:
        """Takes one result. The image is valid only during the call.

        Raises:
            SinkError: it could not be written; everything written before is intact.
        """

    def close(self) -> None:
        """Finishes files so that they are complete; harmless when repeated.

        Raises:
            SinkError: they could not be finished.
        """


def open(target: str, options: SinkOptions = SinkOptions()) -> Sink:
    """Opens a sink by path or URI: `out.jsonl`, `out.mp4`, `dir/`, `window`.

    Raises:
        SinkError: it cannot be written to.
        UsageError: no member handles such a target.
    """
    return cast(Sink, plugins.pick("sinks", target).open(target, options))


def begin(sink: Sink, rates: Mapping[str, float]) -> None:
    """Tells a sink the nominal frames per second of each source, by name; once, before the first result.

    A pipeline opens sinks before cameras, so that none is started for an output that cannot be written.
    """
    tell = getattr(sink, "begin", None)
    if tell is not None:
        tell(rates)
