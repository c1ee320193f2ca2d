"""Reads a recording. Everything in it is checked before it is used, because it may come from anybody."""

from __future__ import annotations

import io
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends.replay import BROKEN as BROKEN_ARRAYS
from edge_runtime.blackbox.archive import Archive, damaged
from edge_runtime.blackbox.recorded import RESULT, RecordedFrame, engine_of, frame_of, settings_of, stream_of
from edge_runtime.blackbox.writing import FORMAT, VERSION
from edge_runtime.errors import EdgeError, SourceError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields
from edge_runtime.native.pictures import shapes
from edge_runtime.types.pixels import Pixels


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
            self.streams = [stream_of(each) for each in self._listed("streams")]
            self.engines = [engine_of(each) for each in self._listed("engines")]
            self.settings = [settings_of(each) for each in self._listed("settings")]
            self.results = self._archive.rows("results.jsonl")
            self.frames = [frame_of(each) for each in self._archive.rows("frames.jsonl")]
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
        """The outputs of the network for the frame of this number, of any shape, float32; None if they are not kept.

        Raises:
            SourceError: they are damaged.
        """
        if not self.frames[number].outputs:
            return None
        content = self._archive.part(f"outputs/{number}.npz")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                if sum(member.file_size for member in arrays.zip.infolist()) > len(content):
                    raise ValueError("its arrays are compressed, or larger than the file")
                found = [arrays[name] for name in arrays.files]
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
            labels = self.engines[frame.engine].spec.labels
            if ((frame.found[:, 5] < 0) | (frame.found[:, 5] >= len(labels))).any():
                raise ValueError("a box is of a class that the engine does not have")
