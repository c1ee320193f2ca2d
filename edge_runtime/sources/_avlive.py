"""Decodes a live stream or a camera with PyAV: from a key picture on, whole pictures only, each in time."""

from __future__ import annotations

from time import monotonic
from typing import Any, Callable, Optional, Tuple

from edge_runtime.sources._avreader import AvReader
from edge_runtime.sources._web import WebStream

THREADS = 1  # each further one would keep a picture back
MOST_PIXELS = 1 << 24  # 16 megapixels; a decoder keeps up to 16 pictures, and the pipeline as many
FIRST_KEY_S = 30.0  # to wait for the first key picture; some cameras send one in 20 s
KEYED = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video")  # codecs whose pictures need earlier ones
END_OF_JPEG = b"\xff\xd9"
LOOKED_AT = 1024  # bytes at the end of a JPEG: some cameras write zeros or a note behind it


class LiveReader(AvReader):
    """See `AvReader`. A picture before the first key picture would be grey or torn. It is not decoded.

    Nor is what follows a broken picture, up to the next key picture: it was made from the broken one.

    Args:
        limit_s: seconds in which each picture must come.
        web: see `AvCapture`.

    Raises:
        LookupError: there is no video in it, or its pictures are too large.
    """

    def __init__(
        self, open_container: Callable[[], Any], limit_s: float, patience: int, web: Optional[WebStream] = None
    ) -> None:
        self._limit_s, self._until_s, self._web, self._waits_for_key = limit_s, 0.0, web, False
        super().__init__(open_container, THREADS, patience)

    def read(self) -> Optional[Tuple[Any, int]]:
        """See `AvReader.read`. Pictures with damaged parts count as broken."""
        self._until_s = monotonic() + (FIRST_KEY_S if self._waits_for_key else self._limit_s)
        lost = 0
        while True:
            read = super().read()
            if read is None:
                return None
            frame, before = read
            lost += before
            if not frame.is_corrupt:
                return frame, lost
            lost += 1
            self._waits_for_key = self._keyed

    def _start(self) -> None:
        super()._start()
        codec = self.stream.codec_context
        self._keyed = codec.name in KEYED
        self._waits_for_key = self._keyed
        self._began, self._jpeg = False, codec.name == "mjpeg"
        if codec.width * codec.height > self._most_pixels:
            said = too_large(codec)
            self._release()
            raise LookupError(said)

    @property
    def _most_pixels(self) -> int:
        return MOST_PIXELS

    def _take(self) -> Any:
        if monotonic() > self._until_s:
            self.error = f"no picture in {FIRST_KEY_S if self._waits_for_key else self._limit_s:g} s"
            return None
        packet = super()._take()
        if self._web is not None:
            self._web.taken()
        return packet

    def _decode(self, packet: Any) -> None:
        if packet is not None and packet.size:
            if self._waits_for_key and not packet.is_keyframe:
                if self._began:  # else we came in the middle
                    self._leave_out(packet)
                return
            if self._waits_for_key and self._began:
                self.stream.codec_context.flush_buffers()
            self._waits_for_key, self._began = False, True
            if self._jpeg and END_OF_JPEG not in bytes(memoryview(packet)[-LOOKED_AT:]):
                self._leave_out(packet)  # half a JPEG would be decoded, with grey below
                return
        before = self._errors
        super()._decode(packet)
        self._waits_for_key = self._waits_for_key or (self._keyed and self._errors > before)

    def _leave_out(self, packet: Any) -> None:
        if packet.pts is not None:
            self._note(packet)
        self._errors += 1
        self._ended = self._ended or (self._patience is not None and self._errors >= self._patience)


def too_large(codec: Any) -> str:
    """Why pictures of such a size are refused."""
    size = f"{codec.width}x{codec.height}"
    return f"pictures of {size} are too large for a live source; ask the camera for a smaller stream"
