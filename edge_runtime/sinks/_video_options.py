"""What a user may ask of the encoder of a video."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import Field, check_fields

H264_ENCODERS = ("libx264", "h264_nvenc", "h264_v4l2m2m", "libopenh264")  # in the order in which they are tried
OPENCV = "opencv"
CODECS = ("auto", "h264", "mpeg4", *H264_ENCODERS, OPENCV)
SMALLEST = 4  # pixels of a side; encoders and OpenCV fail below
Size = Union[Tuple[int, int], Fraction]


@dataclass(frozen=True)
class VideoOptions:
    """How video files are encoded.

    Attributes:
        size: (width, height) in pixels, or a part of the first frame's size, such as `Fraction(1, 2)` or "1/2". Frames
            of another shape are fitted in, on black. None keeps the first frame's size.
        codec: one of `CODECS`: "auto" is H.264 if an encoder works here, else MPEG-4. "h264" takes any encoder, and the
            others name one of FFmpeg's. "opencv" is the MPEG-4 of OpenCV, which works without PyAV.
        bitrate: bits per second. None: a constant quality, if the encoder has one.
        options: options of FFmpeg's encoder, by name: `{"preset": "veryfast", "crf": "20"}`.

    Raises:
        UsageError: a value is none of these.
    """

    size: Optional[Size] = None
    codec: str = "auto"
    bitrate: Optional[int] = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), VIDEO_FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)

    @property
    def encodes(self) -> Dict[str, Any]:
        """What is asked of the encoder, by name, without what is usual."""
        codec = self.codec if self.codec != "auto" else None
        asked = {"codec": codec, "bitrate": self.bitrate, "options": self.options}
        return {name: value for name, value in asked.items() if value}


def page_size(first_wh: Tuple[int, int], size: Optional[Size]) -> Tuple[int, int]:
    """(width, height) of a video whose first frame has this size."""
    if size is None:
        return first_wh
    if isinstance(size, tuple):
        return size
    width, height = (max(SMALLEST, 2 * round(side * size / 2)) for side in first_wh)
    return width, height


def _part(value: Any) -> Size:
    if isinstance(value, (tuple, list)) or "x" in str(value).lower():
        width, height = fields.size().take(value)
        if min(width, height) < SMALLEST:
            raise ValueError(value)
        return width, height
    part = Fraction(str(value))
    if not 0 < part <= 1:
        raise ValueError(value)
    return part


SIZE = Field("WxH in pixels, or a part of the frame's size such as 1/2 or 0.5", _part)
VIDEO_FIELDS = {
    "size": fields.optional(SIZE),
    "codec": fields.one_of(CODECS),
    "bitrate": fields.optional(fields.whole(1000, 10**9)),
    "options": fields.mapping(fields.text()),
}
