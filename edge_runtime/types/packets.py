"""The last seconds of a source as its camera encoded them, for clips of what happened."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic
from typing import Any, Callable, Deque, List, NamedTuple, Optional, Tuple

from edge_runtime.imaging.pyav import failures
from edge_runtime.imaging.remux import Encoded, header_of_units

Header = Callable[[Encoded], bytes]
CODECS = ("h264", "hevc", "mjpeg")
SLACK_S = 10.0  # a clip may be written so much later
MOST_BYTES = 64 << 20
OWN_BYTES = 400  # memory of a picture beside its data, about
MICROSECOND = Fraction(1, 1_000_000)


@dataclass(eq=False)
class Part:
    """A stream from one beginning to the next: a connection, a pass through a file.

    Attributes:
        number: counts from 1 on.
        codec: FFmpeg's name.
        header: see `imaging.remux.header_of`.
        offset_s: from its clock to the timestamps of frames; None until a frame is seen.
    """

    number: int
    codec: str
    header: bytes
    offset_s: Optional[float] = None


class Kept(NamedTuple):
    """An encoded picture, its number in the ring, its part, and when it came (monotonic, seconds)."""

    number: int
    part: Part
    packet: Encoded
    came_s: float


class PacketRing:
    """Keeps encoded pictures: of the last seconds, and of the group of pictures before them. Memory is bounded.

    The source's thread calls `begin`, `add` and `sync`, the thread of a sink the others.

    Args:
        keep_s: seconds to keep; None: as many bytes as may be, for a file, which may be read faster than it plays.
        most_bytes: the most bytes of pictures. Of one group that is larger nothing is kept.
        least_bytes: `limit` goes no lower.

    Attributes:
        why: why there are no pictures; "" if there may be some.
        shown: number of the part, and seconds by its clock, of the last frame that the source gave; None if unknown.
    """

    def __init__(self, keep_s: Optional[float], most_bytes: int = MOST_BYTES, least_bytes: int = 0) -> None:
        self.shown: Optional[Tuple[int, float]] = None
        self._keep_s, self._most, self._least = keep_s, most_bytes, least_bytes
        self._lock = threading.Lock()
        self._kept: Deque[Kept] = deque()
        self._bytes = self._numbers = self._parts = 0
        self._codec, self._header = "", None  # type: str, Optional[Header]
        self._part: Optional[Part] = None
        self._offset_s: Optional[float] = None
        self._last_dts: Optional[int] = None
        self._drawn = False
        self.why = "it gives no pictures that a clip could show"

    def limit(self, most_bytes: int) -> None:
        """Keeps no more bytes than this from now on, but `least_bytes` in any case. Any thread may call it."""
        with self._lock:
            self._most = min(self._most, max(most_bytes, self._least))
            self._forget()

    def begin(self, codec: str, header: Header) -> None:
        """Another beginning.

        Args:
            codec: FFmpeg's name.
            header: makes `Part.header` of the first key picture; see `imaging.remux`.
        """
        with self._lock:
            self._codec, self._header = codec, header
            self._part, self._offset_s, self._last_dts, self._drawn = None, None, None, False
            self.why = "" if codec in CODECS else f"{codec} is not {', '.join(CODECS)}: clips need such a stream"

    def add(self, packet: Any) -> None:
        """The next packet of PyAV. It is copied."""
        if not (self.why or self._drawn or packet.pts is None):
            self._keep(Encoded.of(packet, self._last_dts))

    @property
    def wants_frames(self) -> bool:
        """Whether the source gives no pictures that a clip could show, so that its frames are encoded for it."""
        return bool(self.why) or self._drawn

    def add_frame(self, jpeg: bytes, timestamp_s: float, anew: bool) -> None:
        """The next frame of such a source, as JPEG. Args: anew: the source began again, or changed its size."""
        if anew or not self._drawn:
            self.begin("mjpeg", lambda first: header_of_units("mjpeg", first.data))
            self._drawn, self._offset_s = True, 0.0
        ticks = round(timestamp_s / MICROSECOND)
        if self._last_dts is not None:
            ticks = max(ticks, self._last_dts + 1)
        self._keep(Encoded(jpeg, True, ticks, ticks, 0, MICROSECOND))

    def sync(self, shown_s: float, timestamp_s: float) -> None:
        """A frame that the stream shows at `shown_s` has this timestamp."""
        if self._drawn:
            return
        self._offset_s = timestamp_s - shown_s
        self.shown = None if self._part is None else (self._part.number, shown_s)
        if self._part is not None:
            self._part.offset_s = self._offset_s

    def begin_of(self, timestamp_s: float) -> Optional[Tuple[int, Part]]:
        """Number and part of the last key picture before a frame's timestamp, or of the first one that is kept.

        None if there is none, or if no frame was seen yet.
        """
        with self._lock:
            part, offset_s = self._part, self._offset_s
            if part is None or offset_s is None:
                return None
            keys = [kept for kept in self._kept if kept.packet.key and kept.part is part]
        if not keys:
            return None
        before = [kept for kept in keys if kept.packet.at_s <= timestamp_s - offset_s + 1e-6]
        return (before[-1] if before else keys[0]).number, part

    def after(self, number: int) -> List[Kept]:
        """What is kept from this number on."""
        with self._lock:
            return [kept for kept in self._kept if kept.number >= number]

    def time_of(self, kept: Kept) -> float:
        """The timestamp of the frame that it becomes, nearly."""
        return kept.packet.at_s + (kept.part.offset_s or 0.0)

    def _keep(self, copied: Encoded) -> None:
        self._last_dts = copied.dts
        if self._part is None and not self._open(copied):
            return
        with self._lock:
            assert self._part is not None
            self._numbers += 1
            self._kept.append(Kept(self._numbers, self._part, copied, monotonic()))
            self._bytes += len(copied.data) + OWN_BYTES
            self._forget()

    def _open(self, first: Encoded) -> bool:
        """Whether a part begins with this picture."""
        if not first.key or self._header is None:
            return False
        try:
            header = self._header(first)
        except failures() as error:
            self.why = f"its stream cannot be copied: {error}"
            return False
        self._parts += 1
        self._part = Part(self._parts, self._codec, header, self._offset_s)
        self._header = None  # it refers to what the source closes
        return True

    def _forget(self) -> None:
        """Forgets whole groups of pictures: those that are too old, or too many."""
        while self._bytes > self._most or self._has_old():
            while self._kept:
                gone = self._kept.popleft()
                self._bytes -= len(gone.packet.data) + OWN_BYTES
                if self._kept and self._kept[0].packet.key:
                    break

    def _has_old(self) -> bool:
        """Whether the second group began so long ago that the first one is not needed."""
        if self._keep_s is None:
            return False
        until_s = monotonic() - self._keep_s - SLACK_S
        second = next((kept for number, kept in enumerate(self._kept) if number and kept.packet.key), None)
        return second is not None and second.came_s <= until_s
