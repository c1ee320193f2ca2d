"""JSON Lines: one object per frame, written at once."""

from __future__ import annotations

import io
import json
import os
from typing import Any, Dict

from edge_runtime.errors import SinkError
from edge_runtime.sinks import SinkOptions
from edge_runtime.types import Result

HANDLES = (".jsonl", "-")


def open(target: str, options: SinkOptions) -> JsonlSink:
    """Opens a file, replacing it, or "-" for standard output.

    Raises:
        SinkError: it cannot be written to.
    """
    return JsonlSink(target)


class JsonlSink:
    """One line per frame, each with a single unbuffered write: a kill loses none, a full disk leaves whole lines.

    Attributes:
        closed: the reader of standard output has left, as `head` does: the run ends.
    """

    def __init__(self, target: str) -> None:
        self.target, self.closed = target, False
        try:
            self._file = io.FileIO(1, "w", closefd=False) if target == "-" else io.FileIO(target, "w")
        except OSError as error:
            hint = "is the folder there, and may you write to it?"
            raise SinkError(f"{target!r} cannot be written: {error.strerror}", hint=hint) from error

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        rest = memoryview(json.dumps(row(result), separators=(",", ":")).encode() + b"\n")
        length = len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            if self.target == "-" and isinstance(error, BrokenPipeError):
                self.closed = True
                return
            self._cut(length - len(rest))
            raise SinkError(
                f"{self.target!r} cannot be written: {error.strerror}", hint="every line before this one is whole"
            ) from error

    def close(self) -> None:
        """See `Sink.close`."""
        self._file.close()

    def _cut(self, count: int) -> None:
        """Takes back the last `count` bytes, where that is possible: half a line is no JSON."""
        if count and self._file.seekable():
            os.ftruncate(self._file.fileno(), self._file.tell() - count)


def row(result: Result) -> Dict[str, Any]:
    """One frame as plain data: pixels of the original image, milliseconds, seconds."""
    frame = result.frame
    height, width = frame.image.shape[:2]
    return {
        "source": frame.source,
        **({} if frame.path is None else {"path": frame.path}),
        "frame": frame.index,
        "timestamp_s": round(frame.timestamp_s, 6),
        "width": width,
        "height": height,
        "latency_ms": round(result.latency_ms, 3),
        "stage_ms": {stage: round(ms, 3) for stage, ms in result.stage_ms.items()},
        "detections": result.detections.to_dict(),
    }
