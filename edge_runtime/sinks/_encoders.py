"""Chooses the encoder of a video: H.264 by PyAV, else MPEG-4, by OpenCV if PyAV is missing."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import Callable, NamedTuple, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BackendUnavailable, SinkError, UsageError
from edge_runtime.imaging import pyav
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.libraries.extras import install_hint
from edge_runtime.libraries.once import once
from edge_runtime.sinks._avencoder import MPEG4_ENCODER, AvEncoder, try_out, works
from edge_runtime.sinks._cvencoder import CvEncoder
from edge_runtime.sinks._packet import H264, MPEG4, Encoder, Packet
from edge_runtime.sinks._video_options import H264_ENCODERS, OPENCV, VideoOptions

JPEG_QUALITY = 80

log = logging.getLogger("edge_runtime")


class Choice(NamedTuple):
    """An encoder.

    Attributes:
        codec: `H264` or `MPEG4`.
        name: of the encoder, FFmpeg's or `OPENCV`.
    """

    codec: str
    name: str


def choose(options: VideoOptions) -> Choice:
    """The encoder for .mp4 and .mkv, tried with the user's options.

    Raises:
        BackendUnavailable: PyAV is missing, and the options need it.
        SinkError, UsageError: no encoder takes the options.
    """
    if options.codec == OPENCV:
        return _opencv(options, "leave codec out")
    why = pyav.reason()
    if why is None:
        name = _named(options.codec)
        if options.encodes:
            try_out(name, options)
        return Choice(MPEG4 if name == MPEG4_ENCODER else H264, name)
    if options.codec not in ("auto", MPEG4_ENCODER):
        raise BackendUnavailable(f"{options.codec} needs PyAV: {why}", hint=install_hint("video"))
    _say_once(f"OpenCV writes videos, as MPEG-4, which browsers do not play: {why}")
    return _opencv(options, install_hint("video"))


def open_encoder(
    choice: Choice, fps: float, size_wh: Tuple[int, int], options: VideoOptions, take: Callable[[Packet], None]
) -> Encoder:
    """Opens what was chosen.

    Raises:
        SinkError: it cannot encode such a size.
    """
    if choice.name == OPENCV:
        return CvEncoder(Fraction(fps).limit_denominator(1001), size_wh, take)
    return AvEncoder(choice.name, fps, size_wh, options, take)


class JpegEncoder:
    """Encodes images as JPEG, and passes each on at once.

    Args:
        take: called with each packet.
    """

    def __init__(self, take: Callable[[Packet], None]) -> None:
        self._take = take

    def write(self, image: NDArray[np.uint8], at_s: float) -> None:
        """See `Encoder.write`."""
        cv2 = load_cv2()
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        self._take(Packet(jpeg.tobytes(), True, b"", at_s))

    def close(self) -> None:
        """Does nothing: no image is kept back."""


def _opencv(options: VideoOptions, hint: str) -> Choice:
    if options.encodes.keys() - {"codec"}:
        raise UsageError("OpenCV's encoder takes no bitrate and no options", hint=hint)
    return Choice(MPEG4, OPENCV)


def _named(codec: str) -> str:
    """FFmpeg's name of the encoder that is asked for."""
    if codec == MPEG4_ENCODER:
        return codec
    tried = H264_ENCODERS if codec in ("auto", "h264") else (codec,)
    found = next((name for name in tried if works(name)), None)
    if found:
        return found
    if codec == "auto":
        _say_once("videos are MPEG-4, which browsers do not play: the FFmpeg of PyAV has no H.264 encoder that works")
        return MPEG4_ENCODER
    raise SinkError(f"no encoder works here of: {', '.join(tried)}", hint=f"--video-codec {MPEG4_ENCODER}")


@once
def _say_once(what: str) -> None:
    log.warning(what)
