"""The pictures of a recording: decoded again in the order of its results, one at a time."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from typing import Any, Dict, Iterator, List, Optional, Tuple

from edge_runtime.blackbox.archive import damaged
from edge_runtime.blackbox.recorded import RecordedFrame
from edge_runtime.blackbox.recording import Recording
from edge_runtime.blackbox.writing import SLACK_S
from edge_runtime.files import fields
from edge_runtime.imaging.opencv import MOST_PIXELS
from edge_runtime.imaging.pyav import failures, load_av
from edge_runtime.sources._avframe import pixels_of
from edge_runtime.types.packets import CODECS
from edge_runtime.types.pixels import Pixels

Shown = Tuple[float, Any]
PICTURES = fields.several(fields.several(fields.number(-(2.0**62), 2.0**62), 2, 2))
TIME_BASE = fields.several(fields.whole(1, 1 << 31), 2, 2)


class Pictures:
    """Gives the picture of each frame. Frames of one stream must be asked for in order.

    Args:
        recording: its pictures.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._streams: Dict[Tuple[int, Optional[int]], Iterator[Shown]] = {}
        self._next: Dict[Tuple[int, Optional[int]], Optional[Shown]] = {}

    def of(self, number: int) -> Optional[Pixels]:
        """The pixels of the frame of this number; None if they are not kept, or not decoded again.

        Raises:
            BackendUnavailable: PyAV cannot be loaded.
            SourceError: the recording is damaged.
        """
        frame = self._recording.frames[number]
        if frame.kept:
            return self._recording.pixels(number)
        if frame.part is None or frame.shown_s is None:
            return None
        decoded = self._decoded(frame)
        if decoded is None:
            return None
        pixels = pixels_of(decoded)
        about = frame.picture
        if (pixels.format, pixels.width, pixels.height) != (about["format"], about["width"], about["height"]):
            return pixels
        return replace(pixels, matrix=about["matrix"], full_range=about["full_range"])  # the container said it

    def _decoded(self, frame: RecordedFrame) -> Any:
        key = frame.stream, frame.part
        if key not in self._streams:
            for other in [other for other in self._streams if other[0] == frame.stream]:
                del self._streams[other], self._next[other]
            self._streams[key] = self._shown(frame)
            self._next[key] = next(self._streams[key], None)
        assert frame.shown_s is not None
        shown = self._next[key]
        while shown is not None and shown[0] < frame.shown_s - SLACK_S:
            shown = self._next[key] = next(self._streams[key], None)
        return shown[1] if shown is not None and shown[0] <= frame.shown_s + SLACK_S else None

    def _shown(self, frame: RecordedFrame) -> Iterator[Shown]:
        """The decoded frames of a part, each with the time at which it is shown, by the stream's own clock."""
        kept = self._recording.stream_of(frame)
        if kept is None:
            return
        content, times = kept
        av, path = load_av(), self._recording.path
        try:
            base = Fraction(*fields.take("time_base", TIME_BASE, times.get("time_base")))
            stamps = [int(row[0]) for row in fields.take("pictures", PICTURES, times.get("pictures"))]
            with av.open(io.BytesIO(content), format="matroska") as container:
                yield from _frames(container, stamps, base)
        except failures() as error:
            raise damaged(path, f"streams/{frame.stream}-{frame.part}: {error}") from error


def _frames(container: Any, stamps: List[int], base: Fraction) -> Iterator[Shown]:
    """Pictures before the first key picture, which may refer to others before it, are left out."""
    stream = container.streams.video[0]
    codec = stream.codec_context
    if codec.name not in CODECS:
        raise ValueError(f"{codec.name} is not {', '.join(CODECS)}")
    codec.options, codec.thread_count = {"max_pixels": str(MOST_PIXELS)}, 1
    place = 0
    for packet in container.demux(stream):
        if packet.size:
            if place >= len(stamps):
                raise ValueError("it has more pictures than times")
            packet.pts, packet.dts, packet.time_base = stamps[place], place, base
            place += 1
        try:
            frames = codec.decode(packet if packet.size else None)
        except failures():
            continue
        for frame in frames:
            if frame.pts is not None and frame.pts >= stamps[0]:
                yield float(frame.pts * base), frame
