"""Decodes the pictures of one video with PyAV, packet by packet, and knows which packets gave no picture."""

from __future__ import annotations

import errno
import threading
from collections import deque
from functools import partial
from heapq import heappop, heappush
from time import monotonic, sleep
from typing import Any, Callable, Deque, List, Optional, Tuple

from edge_runtime.imaging.opencv import MOST_PIXELS
from edge_runtime.imaging.pyav import failures
from edge_runtime.imaging.remux import header_of
from edge_runtime.sources._avopen import said
from edge_runtime.types.packets import PacketRing

MOST_PENDING = 256  # packets whose pictures are still to come
MOST_BROKEN = 100  # errors of the demuxer in a row, after which the file ends
MOST_WAITING_S, NAP_S = 5.0, 0.001  # for a picture of a camera
ATTACHED_PICTURE = 0x400  # of AV_DISPOSITION
COVERS = ("mjpeg", "png", "bmp", "gif", "webp", "tiff")
AHEAD, AHEAD_BYTES = 100, 8 << 20  # packets that are read before the first picture, to measure the rate


class AvReader:
    """The first video stream of a container. Another thread may close it, which waits for a running read.

    Args:
        open_container: opens the container, and opens it again.
        threads: of the decoder; 0 leaves it to FFmpeg. With several threads pictures come later by as many frames.
        patience: errors of the decoder without a picture between them, after which the stream ends; None: no end.

    Attributes:
        stream: the av stream.
        error: why the container could not be read to its end; "" if it could.
        shown_until: when the last picture that came is no longer shown, in `stream.time_base`; None if unknown.

    Raises:
        LookupError: there is no video in it.
        av.error.FFmpegError, OSError, ValueError: it cannot be opened.
    """

    def __init__(self, open_container: Callable[[], Any], threads: int, patience: Optional[int] = None) -> None:
        self.container: Any = None
        self.stream: Any = None
        self._open, self._threads, self._patience = open_container, threads, patience
        self._lock, self._closed = threading.Lock(), False
        self._failures = failures()
        self._ring: Optional[PacketRing] = None
        self._start()

    def read(self) -> Optional[Tuple[Any, int]]:
        """The next av frame, and the number of broken frames before it. None at the end and after `close`."""
        with self._lock:
            while not self._closed:
                if self._ready:
                    return self._ready.popleft()
                if self._ended:
                    return None
                self._decode(self._take())
        return None

    def record(self, ring: PacketRing) -> None:
        """Keeps the packets there from now on. Call it before the first read."""
        self._ring = ring
        ring.begin(self.stream.codec_context.name, partial(header_of, self.stream))

    def look_ahead(self) -> Tuple[List[Any], bool]:
        """Reads packets without decoding them; the next reads begin with them.

        Returns:
            Those whose pictures will be shown, and whether these are all.
        """
        with self._lock:
            size = 0
            while not self._closed and len(self._ahead) < AHEAD and size < AHEAD_BYTES:
                packet = self._demux()
                self._ahead.append(packet)
                if packet is None or not packet.size:
                    break
                size += packet.size
            whole = bool(self._ahead) and not (self._ahead[-1] and self._ahead[-1].size)
            return [packet for packet in self._ahead if packet and packet.size and not packet.is_discard], whole

    def stamp(self, item: Any) -> Optional[int]:
        """When a frame or packet is shown, in `stream.time_base`; None if unknown.

        An AVI states only the order of its packets. FFmpeg's pts are wrong there if frames refer to later ones.
        """
        stamp: Optional[int] = item.dts if self._in_order else item.pts
        return stamp

    def lost_at_the_end(self) -> int:
        """The number of broken frames after the last one that could be read."""
        return len(self._pending) if self._errors else 0

    def rewind(self, first_pts: Optional[int]) -> None:
        """Starts again from the beginning: seeks if the container can, else opens it again.

        Args:
            first_pts: time of the first picture, which must come again.
        """
        with self._lock:
            if self._closed:
                return
            if not self._seek(first_pts):
                self._release()
                self._start()

    def interrupt(self) -> None:
        """Ends a running read soon: at its next packet, or at its time limit."""
        self._closed = True

    def close(self) -> None:
        """Releases file, device or connection. It may be called more than once. Frames that were read stay valid."""
        self._closed = True
        with self._lock:
            self._release()

    def __del__(self) -> None:
        if self.container is not None:  # PyAV's objects refer to each other: the file would stay open for a while
            self._release()

    def _start(self) -> None:
        container = self._open()
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            container.close()
            raise LookupError("there is no video in it")
        self.container, self.stream = container, _moving(streams)
        self._in_order = "avi" in container.format.name.split(",")
        codec = self.stream.codec_context
        if codec is None:
            self._release()
            raise LookupError("no decoder for its video")
        codec.options = {"max_pixels": str(self._most_pixels)}
        codec.thread_count = self._threads
        codec.thread_type = "SLICE" if self._threads == 1 else "AUTO"
        self._reset()

    @property
    def _most_pixels(self) -> int:
        return MOST_PIXELS

    def _reset(self) -> None:
        self._packets = self.container.demux(self.stream)
        self._ahead: Deque[Any] = deque()
        self._ready: Deque[Tuple[Any, int]] = deque()
        self._pending: List[Tuple[int, int]] = []  # time and duration
        self.shown_until: Optional[int] = None
        self._errors = self._broken = 0
        self._ended, self.error = False, ""
        if self._ring is not None:
            self.record(self._ring)

    def _release(self) -> None:
        container, self.container = self.container, None
        self._packets, self._ended = iter(()), True
        self._ready, self._ahead = deque(), deque()
        if container is None:
            return
        container.close()
        codec = self.stream.codec_context
        if hasattr(codec, "close") and codec.is_open:  # PyAV 12 would keep the decoder for a while
            codec.close()

    def _seek(self, first_pts: Optional[int]) -> bool:
        """Whether the first picture is the next one again."""
        if first_pts is None:
            return False
        try:
            self.container.seek(first_pts, stream=self.stream, backward=True)
            self._reset()
            while not self._ready and not self._ended:
                self._decode(self._take())
        except self._failures:
            return False
        return bool(self._ready) and self.stamp(self._ready[0][0]) == first_pts

    def _take(self) -> Any:
        packet = self._ahead.popleft() if self._ahead else self._demux()
        if self._ring is not None and packet is not None and packet.size:
            self._ring.add(packet)
        return packet

    def _demux(self) -> Any:
        """The next packet: one without bytes at the end, or None if the file ends with an error."""
        while True:
            try:
                packet = self._next_packet()
                self._broken = 0
                return packet
            except self._failures as error:
                self._broken += 1
                if self._broken >= MOST_BROKEN or not isinstance(error, ValueError):  # not only wrong data
                    self.error = "" if self._is_end(error) else said(error)
                    return None
                self._packets = self.container.demux(self.stream)

    def _is_end(self, error: Exception) -> bool:
        """Whether it is how FFmpeg calls the end of what a server sends without stating its length."""
        return getattr(error, "errno", None) == errno.EIO and (self.container.size or -1) < 0  # None in PyAV 19

    def _next_packet(self) -> Any:
        """A camera is asked again and again, because one that waits in its driver could not be closed."""
        until_s = monotonic() + MOST_WAITING_S
        while not self._closed:
            try:
                return next(self._packets, None)
            except BlockingIOError:
                if monotonic() > until_s:
                    raise OSError(errno.ETIMEDOUT, f"no picture in {MOST_WAITING_S:g} s") from None
                self._packets = self.container.demux(self.stream)
                sleep(NAP_S)
        return None

    def _decode(self, packet: Any) -> None:
        """Decodes one packet. The last one, which has no bytes, gives the pictures that the decoder kept back."""
        last = packet is None or not packet.size
        if not last and packet.pts is not None and not packet.is_discard:
            self._note(packet)
        try:
            frames = self.stream.codec_context.decode(packet)
        except self._failures:
            frames = []
            self._errors += not last
            self._ended = self._ended or (self._patience is not None and self._errors >= self._patience)
        self._ready.extend((frame, self._lost_before(frame)) for frame in frames)
        self._ended = self._ended or last

    def _note(self, packet: Any) -> None:
        """Its picture is still to come."""
        heappush(self._pending, (packet.pts, packet.duration or 0))
        if len(self._pending) > MOST_PENDING:
            heappop(self._pending)

    def _lost_before(self, frame: Any) -> int:
        """How many earlier packets gave no picture. Without an error of the decoder they are none: some are hidden."""
        if frame.pts is None:
            return 0
        lost = 0
        while self._pending and self._pending[0][0] <= frame.pts:
            pts, duration = heappop(self._pending)
            lost += pts < frame.pts
            self.shown_until = max(self.shown_until or pts, pts + duration)
        if not lost or not self._errors:
            return 0
        self._errors = 0
        return lost


def _is_cover(stream: Any) -> bool:
    """Whether the container says so. PyAV 12 does not tell."""
    return bool(int(getattr(stream, "disposition", 0)) & ATTACHED_PICTURE)


def _moving(streams: List[Any]) -> Any:
    """The first video that is not coded like the picture of a cover; else the first."""
    return next((s for s in streams if s.codec_context and s.codec_context.name not in COVERS), streams[0])
