"""Reads a recording. Everything in it is checked before it is used, because it may come from anybody."""

from __future__ import annotations

import io
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import MOST_BATCH, MOST_STREAMS, MOST_THREADS
from edge_runtime.backends.replay import BROKEN as BROKEN_ARRAYS
from edge_runtime.blackbox.archive import Archive, damaged
from edge_runtime.blackbox.writing import FORMAT, VERSION
from edge_runtime.errors import EdgeError, SourceError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import Field, check_fields
from edge_runtime.loop.stream import Stream
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native.pictures import shapes
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Zone
from edge_runtime.types.pixels import Pixels

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
    """A frame of a result. Attributes: see `writing` and `kept.Kept`; `stream`, `engine` and `settings` are numbers."""

    stream: int
    part: Optional[int]
    shown_s: Optional[float]
    picture: Dict[str, Any]
    pixels: str
    tensor: str
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
    "pixels": fields.text(64), "tensor": fields.text(64), "restarts": _COUNT, "run": _COUNT, "engine": _COUNT,
    "settings": _COUNT, "kept": fields.flag(), "outputs": fields.flag(), "found": Field("boxes", _boxes),
    "tracks": fields.optional(fields.mapping(fields.anything())),
}  # fmt: skip
PART = {"number": _COUNT, "codec": fields.text(64)}
STREAM = {
    "name": fields.text(), "why": fields.text(), "live": fields.flag(), "description": fields.text(),
    "parts": fields.several(
        Field("a part", lambda value: Part(**check_fields(value, PART, "", SourceError))), most=10_000
    ),
}  # fmt: skip


class Recording:
    """An open recording.

    Attributes:
        manifest: what it says of itself, for people.
        streams, engines, settings: those that `frames` name by number. Settings are streams without a source.
        results, frames: a row for each result, in order.
        log, status: rows of the diary.

    Raises:
        SourceError: it is damaged, or is none.
    """

    def __init__(self, path: str) -> None:
        self.path, self._archive = path, Archive(path)
        self.manifest = self._archive.manifest
        if self.manifest.get("format") != FORMAT:
            raise damaged(path, "it does not say that it is one")
        if self.manifest.get("version") != VERSION:
            fact = f"{path} is a recording of version {fields.show(self.manifest.get('version'))}"
            raise SourceError(fact, hint=f"this edge-replay reads version {VERSION}; install the one that wrote it")
        try:
            self.streams = [_stream(each) for each in self._listed("streams")]
            self.engines = [_engine(each) for each in self._listed("engines")]
            self.settings = [_settings(each) for each in self._listed("settings")]
            self.results = self._archive.rows("results.jsonl")
            self.frames = [_frame(each) for each in self._archive.rows("frames.jsonl")]
            self._check()
        except (EdgeError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, SourceError) and str(error).startswith(path):
                raise
            raise damaged(
                path, f"{error}: {error.hint}" if isinstance(error, EdgeError) else read.why(error)
            ) from error
        self.log, self.status = self._archive.rows("log.jsonl"), self._archive.rows("status.jsonl")

    def stream_of(self, frame: RecordedFrame) -> Optional[Tuple[bytes, Dict[str, Any]]]:
        """The Matroska file of a frame's part, and the times of its pictures; None if it is not kept."""
        name = f"streams/{frame.stream}-{frame.part}"
        if frame.part is None or f"{name}.mkv" not in self._archive:
            return None
        return self._archive.part(f"{name}.mkv"), self._archive.object(f"{name}.json")

    def pixels(self, number: int) -> Optional[Pixels]:
        """The pixels of the frame of this number; None if they are not kept as such.

        Raises:
            SourceError: they do not fit their format.
        """
        frame = self.frames[number]
        if not frame.kept:
            return None
        about, content = frame.picture, np.frombuffer(self._archive.part(f"pixels/{number}.bin"), np.uint8)
        at, planes = 0, []  # type: int, List[NDArray[np.uint8]]
        for shape in shapes(about["width"], about["height"])[about["format"]]:
            size = int(np.prod(shape))
            if at + size > len(content):
                raise damaged(self.path, f"pixels/{number}.bin is too small")
            planes.append(content[at : at + size].reshape(shape))
            at += size
        return Pixels(planes=tuple(planes), **about)

    def outputs(self, number: int) -> Optional[List[NDArray[np.float32]]]:
        """The outputs of the network for the frame of this number, each (...) float32; None if they are not kept.

        Raises:
            SourceError: they are damaged.
        """
        if not self.frames[number].outputs:
            return None
        try:
            with np.load(io.BytesIO(self._archive.part(f"outputs/{number}.npz")), allow_pickle=False) as arrays:
                found = [arrays[name] for name in arrays.files]
        except SourceError:
            raise
        except (ValueError, MemoryError, *BROKEN_ARRAYS) as error:
            raise damaged(self.path, f"outputs/{number}.npz: {error}") from error
        if any(array.dtype != np.float32 for array in found):
            raise damaged(self.path, f"outputs/{number}.npz holds other numbers")
        return found

    def _listed(self, name: str) -> List[Any]:
        listed = self.manifest.get(name)
        if not isinstance(listed, list) or len(listed) > 10_000:
            raise ValueError(f"{name} is no list")
        return listed

    def _check(self) -> None:
        """Numbers lead somewhere, and rows belong together."""
        if len(self.frames) != len(self.results):
            raise ValueError(f"it has {len(self.results)} results and {len(self.frames)} frames")
        for frame, row in zip(self.frames, self.results):
            known = len(self.streams), len(self.engines), len(self.settings)
            if not all(n < most for n, most in zip((frame.stream, frame.engine, frame.settings), known)):
                raise ValueError("a frame is of a stream, engine or setting that is not there")
            if row.get("source") != self.streams[frame.stream].name:
                raise ValueError("a result and its frame are of two streams")
            check_fields({key: row[key] for key in RESULT}, RESULT, "results.jsonl: ", SourceError)


RESULT = {
    "source": fields.text(), "frame": _COUNT, "timestamp_s": fields.number(-1e12, 1e12), "latency_ms": fields.number(),
    "stage_ms": fields.mapping(fields.number()), "detections": fields.several(TEXTS),
}  # fmt: skip


def _whole(known: Any, data: Any) -> Dict[str, Any]:
    """The values that a dataclass has, without others."""
    return {each.name: data[each.name] for each in fields_of(known) if each.name in data}


def _stream(data: Any) -> RecordedStream:
    return RecordedStream(**check_fields(_whole(RecordedStream, data), STREAM, "streams: ", SourceError))


def _frame(data: Any) -> RecordedFrame:
    return RecordedFrame(**check_fields(data, FRAME, "frames.jsonl: ", SourceError))


def _engine(data: Any) -> RecordedEngine:
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


def _settings(data: Any) -> Stream:
    track = data["track"]
    if track is not None:
        places = {
            kind: tuple(make(**_whole(make, each)) for each in track[kind])
            for kind, make in (("lines", Line), ("zones", Zone))
        }
        track = TrackOptions(**{**_whole(TrackOptions, track), **places})
    return Stream(None, None, data["conf"], data["class_conf"], data["classes"], track or False)
