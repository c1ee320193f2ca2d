"""A stream of RTSP: our client fetches it, PyAV decodes it. A picture is decoded as soon as its last packet came."""

from __future__ import annotations

import ssl
from fractions import Fraction
from time import monotonic, time
from typing import Any, Iterator, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.pyav import failures, load_av
from edge_runtime.imaging.remux import header_of_units
from edge_runtime.sources._avframe import pixels_of
from edge_runtime.sources._avlive import FIRST_KEY_S, MOST_PIXELS, too_large
from edge_runtime.sources._avopen import NO_ANSWER, said
from edge_runtime.sources._behind import Pace
from edge_runtime.sources._rtcp import Clock
from edge_runtime.sources._rtp import Coded, Depacketizer
from edge_runtime.sources._rtsp import RtspConnection
from edge_runtime.sources._server import Refused
from edge_runtime.types.packets import PacketRing
from edge_runtime.types.pixels import Pixels

MOST_BROKEN = 250  # coded pictures in a row without a picture, after which the connection counts as lost


class RtspCapture:
    """See `_pictures.Capture`. The first picture is decoded at once, because it says how large the pictures are.

    Args:
        address: rtsp:// or rtsps://.
        limit_s: seconds in which each answer and each picture must come.
        ca_file: see `SourceOptions`.
        ring: where to keep what is decoded.

    Attributes:
        late: pictures before the last one that were left out, because the decoder is slower than the camera.

    Raises:
        Unfit: FFmpeg must read this stream.
    """

    ended = False

    def __init__(self, address: str, limit_s: float, ca_file: Optional[str], ring: Optional[PacketRing] = None) -> None:
        self._ring = ring
        self._limit_s, self._connection, self._first = limit_s, None, None  # type: float, Any, Optional[Pixels]
        self.error, self.size, self.refused, self._broken, self._skipped, self.late = "", "0x0", False, 0, 0, 0
        self.came_s, self.stamp_s = 0.0, None  # type: float, Optional[float]
        self.age_s: Optional[float] = None
        self._waits_for_key, self._began = True, False
        try:
            self._connection = RtspConnection(address, limit_s, ca_file)
            self._start(self._connection)
        except failures() as error:  # a ValueError, too: a name that is none, a number that is none
            self.error, self.refused = _said(error), isinstance(error, Refused)
            self.close()

    @property
    def opened(self) -> bool:
        """See the protocol."""
        return self._connection is not None

    @property
    def lost(self) -> int:
        """See the protocol."""
        return self._broken + self._skipped

    @property
    def slow(self) -> bool:
        """See the protocol."""
        return self.refused

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Pixels]:
        """See the protocol. It gives the decoder's planes; `buffer` is not needed."""
        first, self._first = self._first, None
        return first or self._next()

    def interrupt(self) -> None:
        """See the protocol."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def close(self) -> None:
        """See the protocol."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _start(self, connection: RtspConnection) -> None:
        video = connection.video
        self.fps, self.form, self._clock = video.fps, video.codec, video.clock
        self._codec = load_av().CodecContext.create(video.codec, "r")
        if video.sets:
            self._codec.extradata = video.sets
        self._codec.thread_count, self._codec.thread_type = 1, "SLICE"  # each further one would keep a picture back
        self._codec.options = {"max_pixels": str(MOST_PIXELS)}
        self._reports, self._pace, self._behind = Clock(video.clock), Pace(), False
        self._coded = _coded(connection, Depacketizer(video.codec, video.payload), self._reports, self._pace)
        if self._ring is not None:
            self._ring.begin(video.codec, lambda first: header_of_units(video.codec, video.sets + first.data))
        self._first = self._next()
        if self._first is None:
            raise OSError(0, self.error)
        self.fps = self.fps or _rate(self._codec)

    def _next(self) -> Optional[Pixels]:
        """The next whole picture; None if the connection is lost."""
        began_s, self._broken, self._skipped, self.late = monotonic(), 0, 0, 0
        try:
            for coded in self._coded:
                frame = self._decoded(coded) if coded else None
                if frame is not None:
                    return self._given(frame)
                if monotonic() > began_s + self._patience_s or self._broken > MOST_BROKEN:
                    break
            late = monotonic() > began_s + self._patience_s
            self.error = f"no picture in {self._patience_s:g} s" if late else "the camera ended the connection"
            self.error = self.error if self._broken <= MOST_BROKEN else f"{self._broken} broken pictures in a row"
        except failures() as error:
            self.error = _said(error)
        return None

    @property
    def _patience_s(self) -> float:
        return max(FIRST_KEY_S, self._limit_s) if self._waits_for_key else self._limit_s

    def _given(self, frame: Any) -> Pixels:
        self.stamp_s, self.came_s = frame.pts / self._clock, monotonic()
        if self._ring is not None:
            self._ring.sync(self.stamp_s, time())
        self.age_s, self.size = self._reports.age_s(frame.pts, time()), f"{frame.width}x{frame.height}"
        return pixels_of(frame)

    def _decoded(self, coded: Coded) -> Any:
        """The picture; None if there is none yet, or a broken one.

        Without a key picture it would be grey. What follows a broken picture was made from it, up to the next key.
        """
        self._behind = (self._behind or self._pace.is_behind()) and not (coded.key and coded.whole)
        self._waits_for_key = self._behind or not coded.whole or (self._waits_for_key and not coded.key)
        if self._waits_for_key:
            self.late += self._behind
            self._skipped += not self._behind and (self._began or not coded.whole)  # else we came in the middle
            return None
        if self.lost + self.late and self._began:
            self._codec.flush_buffers()  # it decides anew from where on pictures are whole
            self._pace.restart()
        self._began = True
        packet = load_av().Packet(coded.data)
        packet.pts = packet.dts = coded.stamp
        if self._ring is not None:
            packet.time_base, packet.is_keyframe = Fraction(1, self._clock), coded.key
            self._ring.add(packet)
        began_s = monotonic()
        try:
            frames = self._codec.decode(packet)
        except failures() as error:
            if self._codec.width * self._codec.height > MOST_PIXELS:
                raise LookupError(too_large(self._codec)) from error
            frames, self._waits_for_key = [], True
            self._broken += 1
        self._pace.decoded(monotonic() - began_s)
        whole = [frame for frame in frames if not frame.is_corrupt]
        self._broken += len(frames) - len(whole)
        self._waits_for_key = self._waits_for_key or len(whole) < len(frames)
        return whole[-1] if whole else None


def _coded(connection: RtspConnection, packets: Depacketizer, reports: Clock, pace: Pace) -> Iterator[Optional[Coded]]:
    """Coded pictures, and None after each packet: a camera whose video froze may go on with its reports."""
    asked_s = monotonic()
    for channel, content in connection.packets():
        pace.waited(monotonic() - asked_s)
        if channel == connection.channel:
            yield from packets.push(content)
        elif channel == connection.channel + 1:
            reports.take(content)
        yield None
        asked_s = monotonic()


def _rate(codec: Any) -> Optional[float]:
    """As the stream itself says."""
    rate = codec.framerate
    return float(rate) if rate and 0 < rate <= 240 else None


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"nobody vouches for its certificate ({error.verify_message}); give it with --ca-file FILE.pem"
    if isinstance(error, UnicodeError):  # whose words differ between versions of Python
        return "its address has a name or characters that no network takes"
    return NO_ANSWER if isinstance(error, TimeoutError) or "timed out" in str(error) else said(error)
