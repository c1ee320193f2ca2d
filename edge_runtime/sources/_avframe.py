"""A decoded frame of PyAV as Pixels, without a copy, and turned as its file says."""

from __future__ import annotations

import struct
from typing import Any, Callable, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources._planes import plane_shapes, row_bytes, usual_matrix
from edge_runtime.types.pixels import Pixels

Image = NDArray[np.uint8]
Turn = Callable[[Image], Image]

# FFmpeg's name of a format, and ours
FORMATS = {
    "yuv420p": "i420", "yuvj420p": "i420", "yuv422p": "yuv422p", "yuvj422p": "yuv422p", "nv12": "nv12",
    "yuyv422": "yuyv", "gray": "gray8", "bgr24": "bgr24", "bgr0": "bgrx", "bgra": "bgrx",
}  # fmt: skip
BT709, UNSAID, BT601 = 1, (2, 3), (4, 5, 6, 7)  # of AVColorSpace
LIMITED, FULL = 1, 2  # of AVColorRange
DISPLAY_MATRIX = "DISPLAYMATRIX"


def pixels_of(frame: Any) -> Pixels:
    """The frame's planes, which keep its memory. A format or matrix that Pixels does not know becomes bgr24."""
    matrix, full = _matrix(frame), _is_full(frame)
    form = FORMATS.get(frame.format.name)
    if form is None or matrix is None or any(plane.line_size <= 0 for plane in frame.planes):
        frame, form = _as_bgr(frame, matrix, full), "bgr24"
    width, height = frame.width, frame.height
    shapes = plane_shapes(form, width, height)
    planes = tuple(_view(plane, shape) for plane, shape in zip(frame.planes, shapes))
    return Pixels(form, planes, width, height, matrix or "bt709", full)


def turn_of(frame: Any) -> Optional[Turn]:
    """Turns and mirrors an image (H, W, 3) as the file's display matrix says; None if it says nothing."""
    try:
        found = [bytes(data) for data in frame.side_data if data.type.name == DISPLAY_MATRIX]
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
        return np.ascontiguousarray(image[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1])

    return turned


def _matrix(frame: Any) -> Optional[str]:
    """bt601 or bt709; None for others. `Pixels` says what holds if the stream says nothing."""
    said = int(frame.colorspace)
    if frame.format.name.startswith("yuvj") or said in BT601:
        return "bt601"
    if said in UNSAID or frame.format.is_rgb:
        return usual_matrix(frame.height)
    return "bt709" if said == BT709 else None


def _is_full(frame: Any) -> bool:
    """Grey pictures have the full range unless the stream says otherwise, as in swscale."""
    said = int(frame.color_range)
    return said == FULL or frame.format.name.startswith("yuvj") or (said != LIMITED and frame.format.name == "gray")


def _as_bgr(frame: Any, matrix: Optional[str], full: bool) -> Any:
    if frame.format.is_rgb:
        return frame.reformat(format="bgr24")
    kind = {"bt601": 5, "bt709": 1, None: int(frame.colorspace)}[matrix]
    return frame.reformat(format="bgr24", src_colorspace=kind, dst_colorspace=kind,
                          src_color_range=FULL if full else LIMITED, dst_color_range=FULL)  # fmt: skip


def _view(plane: Any, shape: Tuple[int, ...]) -> Image:
    """Not writable, because the decoder makes later frames from this one."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: shape[0]]
    view = rows[:, : row_bytes(shape)].reshape(shape)
    view.flags.writeable = False
    return view
