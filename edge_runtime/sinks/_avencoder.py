"""Encodes with PyAV: each of FFmpeg's encoders is tried before it is used."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError, UsageError
from edge_runtime.imaging.pyav import load_av
from edge_runtime.libraries.once import once
from edge_runtime.sinks import _h264, _mpeg4
from edge_runtime.sinks._i420 import I420
from edge_runtime.sinks._packet import Packet
from edge_runtime.sinks._video_options import VideoOptions

MPEG4_ENCODER = "mpeg4"
GROUP_S = 2.0  # between pictures where playing can begin
USUAL_BITS = 0.1  # of a pixel, for encoders that have no constant quality
QUALITY = {  # constant quality, without pictures that wait for later ones
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "crf": "25"},
    MPEG4_ENCODER: {"flags": "+qscale", "global_quality": str(4 * 118)},
}
NO_DELAY = {"libx264": {"preset": "ultrafast", "tune": "zerolatency"}, "h264_nvenc": {"delay": "0"}}
TRIAL_WH, TRIAL_FRAMES = (320, 240), 3
LARGEST_CLOCK = 65535  # MPEG-4's: ticks per second


class AvEncoder:
    """Encodes images in the caller's thread, and passes each packet on at once.

    It uses one thread, so the detector keeps the other cores. B-frames are refused, because they keep frames back.

    Args:
        name: FFmpeg's name of the encoder.
        fps: nominal frames per second.
        size_wh: size of the images, in pixels; both sides are even.
        options: bitrate and options of the user.
        take: called with each packet.

    Raises:
        SinkError: the encoder cannot be opened.
        UsageError: it does not know an option, or the options ask for B-frames.
    """

    def __init__(
        self, name: str, fps: float, size_wh: Tuple[int, int], options: VideoOptions, take: Callable[[Packet], None]
    ) -> None:
        self._av, self._name, self._take, self._asked = load_av(), name, take, options.options
        self._times: Dict[int, float] = {}
        self._count, self._ended, self._config = 0, False, b""
        self._clock = _clock(fps)
        self._i420 = I420(size_wh)
        self._context = self._opened(size_wh, {**_usual(name, fps, size_wh, options.bitrate), **options.options})

    def write(self, image: NDArray[np.uint8], at_s: float) -> None:
        """See `Encoder.write`."""
        frame = self._av.VideoFrame(image.shape[1], image.shape[0], "yuv420p")
        self._i420.write(image, [_pixels(plane) for plane in frame.planes])
        frame.pts, frame.time_base = self._count, self._clock
        self._times[self._count] = at_s
        self._count += 1
        self._encode(frame)

    def close(self) -> None:
        """See `Encoder.close`."""
        if not self._ended and self._count:
            self._ended = True
            self._encode(None)

    def _opened(self, size_wh: Tuple[int, int], options: Dict[str, str]) -> Any:
        try:
            context = self._av.CodecContext.create(self._name, "w")
            context.width, context.height = size_wh
            context.pix_fmt, context.time_base, context.framerate = "yuv420p", self._clock, 1 / self._clock
            context.options = options
            context.open()
        except (self._av.FFmpegError, ValueError) as error:
            raise self._refused(f"cannot be opened for {size_wh[0]}x{size_wh[1]}", error) from error
        unknown = [name for name in self._asked if name in context.options]
        if unknown:
            raise UsageError(f"{self._name} has no option {unknown[0]!r}", hint=_how(self._name))
        return context

    def _encode(self, frame: Any) -> None:
        try:
            packets = self._context.encode(frame)
        except (self._av.FFmpegError, ValueError) as error:
            raise self._refused("cannot encode", error) from error
        for packet in packets:
            self._pass_on(packet)

    def _pass_on(self, packet: Any) -> None:
        if packet.dts is not None and packet.dts != packet.pts:
            hint = "leave bf out: a kill would lose the frames that wait"
            raise UsageError(f"these options of {self._name} ask for B-frames", hint=hint)
        if packet.pts not in self._times:
            raise SinkError(f"{self._name} gives pictures without their time", hint=_how(self._name))
        data, at_s, key = bytes(packet), self._times.pop(packet.pts), bool(packet.is_keyframe)
        if self._name == MPEG4_ENCODER:
            self._take(Packet(data, key, _mpeg4.config(data) if key else b"", at_s))
            return
        if key and not self._config:
            self._config = _h264.config(data) or _h264.config(bytes(self._context.extradata or b""))
        self._take(Packet(_h264.framed(data), key, self._config, at_s))

    def _refused(self, what: str, error: Exception) -> SinkError:
        reason = getattr(error, "strerror", None) or str(error)
        asked = " with " + ",".join(f"{name}={value}" for name, value in self._asked.items()) if self._asked else ""
        return SinkError(f"{self._name} {what}{asked}: {reason}", hint=_how(self._name))


@once
def works(name: str) -> bool:
    """Whether an encoder of this name really encodes on this machine."""
    try:
        try_out(name, VideoOptions())
    except (SinkError, UsageError):  # UsageError: it reorders frames by itself
        return False
    return True


def try_out(name: str, options: VideoOptions) -> None:
    """Encodes a few small pictures.

    Raises:
        SinkError, UsageError: see `AvEncoder`, or nothing comes out.
    """
    found: List[Packet] = []
    encoder = AvEncoder(name, 30.0, TRIAL_WH, options, found.append)
    for level in range(TRIAL_FRAMES):
        encoder.write(np.full((TRIAL_WH[1], TRIAL_WH[0], 3), 50 * level, np.uint8), level / 30)
    encoder.close()
    if len(found) < TRIAL_FRAMES or not found[0].config:
        raise SinkError(f"{name} encodes nothing", hint=_how(name))


def _pixels(plane: Any) -> NDArray[np.uint8]:
    """The memory of a plane, (H, W) uint8, without the gaps between rows. PyAV's own copy takes a millisecond."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _usual(name: str, fps: float, size_wh: Tuple[int, int], bitrate: Any) -> Dict[str, str]:
    width, height = size_wh
    colour = {"colorspace": "smpte170m", "color_range": "tv"}
    common = {"threads": "1", "bf": "0", "g": str(max(1, round(GROUP_S * fps))), **colour}
    if bitrate is None and name in QUALITY:
        return {**common, **QUALITY[name]}
    bits = bitrate or max(100_000, round(USUAL_BITS * width * height * fps))
    return {**common, **NO_DELAY.get(name, {}), "b": str(bits)}


def _clock(fps: float) -> Fraction:
    """Seconds of a frame. The encoder counts frames: their times go past it, to the container."""
    return 1 / Fraction(fps).limit_denominator(max(1, int(LARGEST_CLOCK / max(fps, 1))))


def _how(name: str) -> str:
    return f"ffmpeg -h encoder={name} lists its options; --video-codec mpeg4 needs none"
