"""What a recording holds, checked: streams, engines, settings and frames."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any, Dict, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import MOST_BATCH, MOST_STREAMS, MOST_THREADS
from edge_runtime.errors import SourceError
from edge_runtime.files import fields
from edge_runtime.files.fields import Field, check_fields
from edge_runtime.loop.stream import Stream
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native.pictures import shapes
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Zone

SIDE = 65_536  # pixels
HUGE = 1e9
TEXTS = fields.mapping(fields.anything())


@dataclass(frozen=True)
class Part:
    """A part of a stream: its number and FFmpeg's name of its codec."""

    number: int
    codec: str


@dataclass(frozen=True)
class RecordedStream:
    """A source: its name in results, its parts, and why there are none."""

    name: str
    parts: Tuple[Part, ...]
    why: str = ""
    live: bool = False
    description: str = ""


@dataclass(frozen=True)
class RecordedEngine:
    """The engine that ran.

    Attributes:
        path: of its file on the machine where it ran.
        sha256: of the file; "" if it is unknown.
        spec: how it was read.
        chosen_wh: see `Model.chosen_wh`.
        thresholds: which boxes it reported.
        batch: pictures in a run.
        threads, streams: of inference. Another number may round otherwise.
        backend: name of the member of `backends` that ran it.
        description: how it ran there.
    """

    path: str
    sha256: str
    spec: ModelSpec
    chosen_wh: Optional[Tuple[int, int]]
    thresholds: Thresholds
    batch: int
    threads: int
    streams: int
    backend: str
    description: str


@dataclass(frozen=True)
class RecordedFrame:
    """A frame of a result. `stream`, `engine` and `settings` are numbers of those in the recording.

    Attributes:
        part, shown_s: see `PacketRing.shown`.
        kept, outputs: whether its pixels and the outputs of the network are there.
        picture, pixels, tensor, source, restarts, run, tracks: see `kept.Kept`; `picture` is its `about`.
        found: (n, 6) float32, the boxes before tracking.
    """

    stream: int
    part: Optional[int]
    shown_s: Optional[float]
    picture: Dict[str, Any]
    pixels: str
    tensor: str
    source: int
    restarts: int
    run: int
    engine: int
    settings: int
    kept: bool
    outputs: bool
    found: NDArray[np.float32]
    tracks: Any


def _boxes(value: Any) -> NDArray[np.float32]:
    rows = np.array(value, np.float64).reshape(len(value), 6)
    if len(rows) > fields.LONGEST or not (np.abs(rows) < HUGE).all():
        raise ValueError("a number is not finite, or huge")
    return rows.astype(np.float32)


_COUNT = fields.whole(0, 1 << 53)
PICTURE = {
    "format": fields.one_of(shapes(2, 2)), "width": fields.whole(1, SIDE), "height": fields.whole(1, SIDE),
    "matrix": fields.one_of(("bt601", "bt709")), "full_range": fields.flag(),
}  # fmt: skip
FRAME = {
    "stream": _COUNT, "part": fields.optional(_COUNT), "shown_s": fields.optional(fields.number(-HUGE * 10, HUGE * 10)),
    "picture": Field("a picture", lambda value: check_fields(value, PICTURE, "", SourceError)),
    "pixels": fields.text(64), "tensor": fields.text(64), "source": _COUNT, "restarts": _COUNT, "run": _COUNT,
    "engine": _COUNT, "settings": _COUNT, "kept": fields.flag(), "outputs": fields.flag(),
    "found": Field("boxes", _boxes), "tracks": fields.optional(fields.mapping(fields.anything())),
}  # fmt: skip
PART = {"number": _COUNT, "codec": fields.text(64)}
STREAM = {
    "name": fields.text(), "why": fields.text(), "live": fields.flag(), "description": fields.text(),
    "parts": fields.several(
        Field("a part", lambda value: Part(**check_fields(value, PART, "", SourceError))), most=10_000
    ),
}  # fmt: skip


RESULT = {
    "source": fields.text(), "frame": _COUNT, "timestamp_s": fields.number(-1e12, 1e12), "latency_ms": fields.number(),
    "stage_ms": fields.mapping(fields.number()), "detections": fields.several(TEXTS),
}  # fmt: skip


def _whole(known: Any, data: Any) -> Dict[str, Any]:
    """The values that a dataclass has, without others."""
    return {each.name: data[each.name] for each in fields_of(known) if each.name in data}


def stream_of(data: Any) -> RecordedStream:
    """A stream. Raises an error of any kind if it makes no sense, like the other functions here."""
    return RecordedStream(**check_fields(_whole(RecordedStream, data), STREAM, "streams: ", SourceError))


def frame_of(data: Any) -> RecordedFrame:
    """A line of frames.jsonl."""
    return RecordedFrame(**check_fields(data, FRAME, "frames.jsonl: ", SourceError))


def engine_of(data: Any) -> RecordedEngine:
    """An engine."""
    chosen = data["chosen_wh"]
    files = data["files"]
    return RecordedEngine(
        fields.text().take(data["path"]), fields.text(64).take(files[0]["sha256"]) if files else "",
        ModelSpec(**_whole(ModelSpec, data["spec"])), None if chosen is None else fields.size().take(chosen),
        Thresholds(**_whole(Thresholds, data["thresholds"])), fields.whole(1, MOST_BATCH).take(data["batch"]),
        fields.whole(1, MOST_THREADS).take(data["threads"]), fields.whole(0, MOST_STREAMS).take(data["streams"]),
        fields.text(64).take(data["backend"]),
        fields.text().take(data["description"]),
    )  # fmt: skip


def settings_of(data: Any) -> Stream:
    """Settings of a stream, as one without a source."""
    track = data["track"]
    if track is not None:
        places = {
            kind: tuple(make(**_whole(make, each)) for each in track[kind])
            for kind, make in (("lines", Line), ("zones", Zone))
        }
        track = TrackOptions(**{**_whole(TrackOptions, track), **places})
    return Stream(None, None, data["conf"], data["class_conf"], data["classes"], track or False)
