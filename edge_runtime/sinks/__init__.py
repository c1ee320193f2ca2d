"""Sinks: results out.

A member is a module with

    HANDLES                                  suffixes (".jsonl"), schemes ("mqtt://") or names ("window") it opens
    open(target, options) -> Sink
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Sequence, cast

from edge_runtime import plugins
from edge_runtime.types import Result


@dataclass(frozen=True)
class SinkOptions:
    """What a sink may need to know.

    Attributes:
        fps: nominal rate of the source, for video files.
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
