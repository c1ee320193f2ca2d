"""Encoded pictures of a pipeline of GStreamer, from a branch before its decoder, for clips."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple, Optional

from edge_runtime.imaging.gst import load_gst
from edge_runtime.imaging.remux import header_of_units
from edge_runtime.sources._annexb import Lengths
from edge_runtime.types.packets import PacketRing

SINK = "packets"  # name of the branch's appsink, also in a pipeline of one's own
CODECS = {"video/x-h264": "h264", "video/x-h265": "hevc", "image/jpeg": "mjpeg"}
VIDEO = "h264 h265 vp8 vp9 av1 h263 theora flash-video divx xvid msmpeg wmv dirac raw"
CODED = ";".join([*(f"video/x-{name}" for name in VIDEO.split()), "video/mpeg", "image/jpeg"])  # and no sound
BRANCH = "tee name=coded ! queue"
END = f"coded. ! queue ! appsink name={SINK}"
WAITING = 300  # pictures, of a pipeline whose frames nobody takes
NO_TIME = 1 << 62
FIRST_NS = 500_000_000  # for the first picture: it comes before its frame, but by another thread
NANOSECOND = Fraction(1, 1_000_000_000)


class Packet(NamedTuple):
    """What `PacketRing.add` takes."""

    data: bytes
    is_keyframe: bool
    pts: Optional[int]
    dts: Optional[int]
    duration: int = 0
    time_base: Fraction = NANOSECOND

    def __bytes__(self) -> bytes:
        return self.data


class Packets:
    """Brings encoded pictures to a ring.

    Args:
        ring: None if nobody wants them.
    """

    def __init__(self, ring: Optional[PacketRing]) -> None:
        self._ring, self._sink = ring, None  # type: Optional[PacketRing], Any
        self._form, self._last, self._wait_ns = ("", b""), -1, 0
        self._lengths: Optional[Lengths] = None

    def begin(self, pipeline: Any) -> None:
        """Call it before the pipeline runs. The branch never holds up the rest of it."""
        self._sink, self._form, self._last = pipeline.get_by_name(SINK), ("", b""), -1
        self._wait_ns = FIRST_NS
        if self._sink is not None:
            most = WAITING if self._ring else 1
            for name, value in {"max-buffers": most, "drop": True, "sync": False, "async": False}.items():
                self._sink.set_property(name, value)

    def pull(self, shown_s: float, timestamp_s: float) -> None:
        """Takes what has come.

        Args:
            shown_s: time of the last frame in the pipeline.
            timestamp_s: its timestamp.
        """
        if self._ring is None or self._sink is None:
            return
        while self._sink is not None:
            wait_ns, self._wait_ns = self._wait_ns, 0
            sample = self._sink.emit("try-pull-sample", wait_ns)
            if sample is None:
                break
            self._take(self._ring, sample)
        self._ring.sync(shown_s, timestamp_s)

    def _take(self, ring: PacketRing, sample: Any) -> None:
        buffer, shape = sample.get_buffer(), sample.get_caps().get_structure(0)
        about = shape.get_value("codec_data") if shape.has_field("codec_data") else None
        form = shape.get_name(), about.extract_dup(0, about.get_size()) if about is not None else b""
        if form != self._form:
            self._form = form
            self._begin(ring, *form)
        pts, dts = (time if time < NO_TIME else None for time in (buffer.pts, buffer.dts))
        if dts is None and pts is not None:  # of a stream of RTP: those of its pictures, if none is out of order
            dts = pts
            if pts <= self._last and not ring.why:
                self._sink = None  # no more of them
                return ring.begin("a stream with B-frames and without the times of their decoding", lambda first: b"")
        self._last = dts or 0
        key = not buffer.has_flags(load_gst().BufferFlags.DELTA_UNIT)
        data = buffer.extract_dup(0, buffer.get_size())
        ring.add(Packet(self._lengths.with_starts(data) if self._lengths else data, key, pts, dts))

    def _begin(self, ring: PacketRing, kind: str, about: bytes) -> None:
        """Another beginning. Args: kind: name of the caps; about: the configuration record, if there is one."""
        codec = CODECS.get(kind, kind)
        self._lengths = Lengths(codec, about) if about and codec in ("h264", "hevc") else None
        sets = self._lengths.sets if self._lengths else b""
        ring.begin(codec, lambda first: header_of_units(codec, sets + first.data))
