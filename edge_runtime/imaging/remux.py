"""Writes encoded packets into video files as they are, without decoding or encoding. PyAV does it."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any, BinaryIO, NamedTuple, Optional, Union

from edge_runtime.imaging.pyav import load_av

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}  # a kill costs the last of them alone


class Encoded(NamedTuple):
    """An encoded picture.

    Attributes:
        data: as the decoder takes it.
        key: whether it can be decoded without others.
        pts: when it is shown, in `time_base`.
        dts: when it is decoded; rises from packet to packet.
        duration: how long it is shown; 0 if unknown.
        time_base: seconds of a unit.
    """

    data: bytes
    key: bool
    pts: int
    dts: int
    duration: int
    time_base: Fraction

    @classmethod
    def of(cls, packet: Any, last_dts: Optional[int]) -> Encoded:
        """A copy of a packet of PyAV that has a `pts`. FFmpeg may not know the first `dts` of a stream.

        Args:
            last_dts: that of the packet before; None for the first one.
        """
        dts = packet.dts
        if dts is None:
            dts = packet.pts if last_dts is None else last_dts + 1
        key, duration = bool(packet.is_keyframe), packet.duration or 0
        return cls(bytes(packet), key, packet.pts, dts, duration, packet.time_base)

    @property
    def at_s(self) -> float:
        """When it is shown, seconds by the stream's clock."""
        return float(self.pts * self.time_base)


def header_of(stream: Any, first: Encoded) -> bytes:
    """A NUT file of one picture. It keeps what is known of a stream, after the stream is closed.

    Unlike other containers NUT leaves H.264 and H.265 as they come: with start codes, or with lengths. FFmpeg later
    goes by that when it writes packets.

    Args:
        stream: an open stream of PyAV.
        first: its first key picture.

    Raises:
        av.error.FFmpegError, OSError, ValueError: the stream does not say enough.
    """
    buffer = io.BytesIO()
    with load_av().open(buffer, "w", format="nut") as container:
        copy = _copy(container, stream)
        container.mux(_packet(copy, first, first.dts))
    return buffer.getvalue()


def header_of_units(codec: str, units: bytes) -> bytes:
    """The same of a stream that has no container, such as one of RTP.

    Args:
        codec: "h264" or "hevc".
        units: parameter sets and the first key picture, each behind a start code (Annex B).

    Raises:
        av.error.FFmpegError, OSError, ValueError, LookupError: they do not say enough.
    """
    with load_av().open(io.BytesIO(units), format=codec) as container:
        stream = container.streams.video[0]
        return header_of(stream, Encoded(units, True, 0, 0, 0, Fraction(1, 90_000)))


class Remuxer:
    """Writes a video file. The suffix says its kind. A file that is killed plays to its last key picture.

    Args:
        path: a file that does not exist, or an open one, which becomes Matroska.
        header: of the stream; see `header_of`.

    Raises:
        av.error.FFmpegError, OSError, ValueError: it cannot be written. Any call may raise it.
    """

    def __init__(self, path: Union[str, BinaryIO], header: bytes) -> None:
        av = load_av()
        if isinstance(path, str):
            options = {"flush_packets": "1", **(FRAGMENTS if path.endswith(".mp4") else {})}
            self._container = av.open(f"file:{path}", "w", format=None, container_options=options)
        else:
            self._container = av.open(path, "w", format="matroska")
        try:
            with av.open(io.BytesIO(header)) as template:
                self._stream = _copy(self._container, template.streams.video[0])
        except BaseException:
            self._container.close()
            raise
        self._first: Optional[int] = None
        self._last = -1

    def add(self, packet: Encoded) -> None:
        """Appends a picture. The first one must be a key picture."""
        if self._first is None:
            self._first, self._last = packet.dts, packet.dts - 1
        if packet.dts <= self._last:  # a camera's clock may stand still
            packet = packet._replace(dts=self._last + 1, pts=max(packet.pts, self._last + 1))
        self._last = packet.dts
        self._container.mux(_packet(self._stream, packet, self._first))

    def close(self) -> None:
        """Finishes the file. It may be called more than once."""
        self._container.close()


def _copy(container: Any, stream: Any) -> Any:
    """A stream of the same kind. PyAV 14 has another name for it."""
    if hasattr(container, "add_stream_from_template"):
        return container.add_stream_from_template(stream)
    return container.add_stream(template=stream)


def _packet(stream: Any, encoded: Encoded, first: int) -> Any:
    packet = load_av().Packet(encoded.data)
    packet.stream, packet.time_base, packet.is_keyframe = stream, encoded.time_base, encoded.key
    packet.pts, packet.dts, packet.duration = encoded.pts - first, encoded.dts - first, encoded.duration
    return packet
