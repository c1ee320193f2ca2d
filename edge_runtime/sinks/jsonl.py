"""Writes JSON Lines: one object per frame, at once."""

from __future__ import annotations

import json
from typing import Any, Dict

from edge_runtime.errors import SinkError
from edge_runtime.files.growing import GrowingFile
from edge_runtime.sinks import SinkOptions
from edge_runtime.types import Result
from edge_runtime.types.places import PlaceStates

HANDLES = (".jsonl", "-")


def open(target: str, options: SinkOptions) -> JsonlSink:
    """Opens a file, or "-" for standard output.

    Raises:
        SinkError: it cannot be written.
        UsageError: another run writes it.
    """
    return JsonlSink(target)


class JsonlSink:
    """Writes one line per frame at once. A kill loses no line. A full disk leaves complete lines only.

    The first line replaces an earlier file by a new one. Until then the earlier file is not changed. A reader that
    started before must follow the name: `tail -F out.jsonl`.

    Attributes:
        closed: the reader of standard output has ended, like `head`, so the run ends.
    """

    def __init__(self, target: str) -> None:
        self.target, self.closed = target, False
        self._file = GrowingFile(target)

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        try:
            self._file.append(json.dumps(row(result), separators=(",", ":")).encode() + b"\n")
        except SinkError as error:
            if self.target != "-" or not isinstance(error.__cause__, BrokenPipeError):
                raise
            self.closed = True

    def close(self) -> None:
        """See `Sink.close`. Without any frame, no file is created."""
        self._file.close()


def row(result: Result) -> Dict[str, Any]:
    """One frame as plain data: pixels of the original image, milliseconds, seconds."""
    frame = result.frame
    width, height = frame.image_wh
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
        **({"gated": True} if result.gated else {}),
        **({} if result.places is None else _places(result.places)),
    }


def _places(places: PlaceStates) -> Dict[str, Any]:
    """Lines and zones by name, if there are any."""
    lines = {
        line.name: {
            "in": line.in_count,
            "out": line.out_count,
            "crossed": [{"tracker_id": number, "direction": way} for number, way in line.crossed],
        }
        for line in places.lines
    }
    zones = {
        zone.name: {
            "count": len(zone.inside),
            "inside": [{"tracker_id": number, "dwell_s": round(stay_s, 3)} for number, stay_s in zone.inside],
        }
        for zone in places.zones
    }
    return {**({"lines": lines} if lines else {}), **({"zones": zones} if zones else {})}
