"""A decoded frame of PyAV as Pixels, without a copy, and turned as its file says."""

from __future__ import annotations

import struct
from math import prod
from typing import Any, Callable, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.pyav import failures
from edge_runtime.native.pictures import shapes
from edge_runtime.types.pixels import Pixels

Image = NDArray[np.uint8]
Turn = Callable[[Image], Image]

# FFmpeg's name of a format, and ours
FORMATS = {
    "yuv420p": "i420", "yuvj420p": "i420", "yuv422p": "yuv422p", "yuvj422p": "yuv422p", "nv12": "nv12",
    "yuyv422": "yuyv", "gray": "gray8", "bgr24": "bgr24", "bgr0": "bgrx", "bgra": "bgrx",
}  # fmt: skip
BT709, BT601 = 1, (2, 3, 4, 6, 5)  # of AVColorSpace; 2 and 3 say nothing
LIMITED, FULL = 1, 2  # of AVColorRange
DISPLAY_MATRIX = "DISPLAYMATRIX"


def pixels_of(frame: Any) -> Pixels:
    """The frame's planes, which keep its memory. A format or matrix that Pixels does not know becomes bgr24."""
    matrix, full = _matrix(frame), _is_full(frame)
    form = FORMATS.get(frame.format.name)
    if form is None or matrix is None or any(plane.line_size <= 0 for plane in frame.planes):
        frame, form = _as_bgr(frame, matrix, full), "bgr24"
    width, height = frame.width, frame.height
    planes = tuple(_view(plane, shape) for plane, shape in zip(frame.planes, shapes(width, height)[form]))
    return Pixels(form, planes, width, height, matrix or "bt709", full)


def turn_of(frame: Any) -> Optional[Turn]:
    """Gives a view of an image (H, W, 3) as the file's display matrix turns and mirrors it; None if it does not."""
    try:
        side = [frame.side_data[number] for number in range(len(frame.side_data))]  # PyAV 19 iterates over kinds
        found = [bytes(data) for data in side if data.type.name == DISPLAY_MATRIX]
    except ValueError:  # side data that this PyAV does not know
        return _quarters(round(frame.rotation / 90))
    if not found:
        return None
    a, b, _, c, d = struct.unpack("=5i", found[0][:20])
    return _turn(a, b, c, d)


def _quarters(number: int) -> Optional[Turn]:
    """Turns to the left by quarters."""
    return _turn(*((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))[number % 4])


def _turn(a: int, b: int, c: int, d: int) -> Optional[Turn]:
    """Of libavutil/display.h: x' = a x + c y, y' = b x + d y. An angle between is taken as the nearest quarter."""
    across = abs(b) > abs(a)
    mirror_x, mirror_y = (c < 0, b < 0) if across else (a < 0, d < 0)
    if not (across or mirror_x or mirror_y):
        return None

    def turned(image: Image) -> Image:
        image = image.transpose(1, 0, 2) if across else image
        return image[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]

    return turned


def _matrix(frame: Any) -> Optional[str]:
    """bt601 or bt709; None for others. If the stream says nothing it is bt601, as in swscale."""
    said = int(frame.colorspace)
    if said in BT601 or frame.format.is_rgb:
        return "bt601"
    return "bt709" if said == BT709 else None


def _is_full(frame: Any) -> bool:
    """Grey pictures have the full range unless the stream says otherwise, as in swscale."""
    said = int(frame.color_range)
    return said == FULL or frame.format.name.startswith("yuvj") or (said != LIMITED and frame.format.name == "gray")


def _as_bgr(frame: Any, matrix: Optional[str], full: bool) -> Any:
    if frame.format.is_rgb:
        return frame.reformat(format="bgr24")
    kind = {"bt601": BT601[-1], "bt709": BT709, None: int(frame.colorspace)}[matrix]
    try:
        return _reformat(frame, kind, full)
    except failures():  # a matrix that swscale does not have; PyAV 12 has no BT.2020, to which BT.709 is next
        return _reformat(frame, BT709, full)


def _reformat(frame: Any, kind: int, full: bool) -> Any:
    """The other matrix is there because PyAV 12 changes nothing between equal ones. BGR has none."""
    other = BT709 if kind == BT601[-1] else BT601[-1]
    return frame.reformat(format="bgr24", src_colorspace=kind, dst_colorspace=other,
                          src_color_range=FULL if full else LIMITED, dst_color_range=FULL)  # fmt: skip


def _view(plane: Any, shape: Tuple[int, ...]) -> Image:
    """Not writable, because the decoder makes later frames from this one."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: shape[0]]
    view = rows[:, : prod(shape[1:])].reshape(shape)
    view.flags.writeable = False
    return view
