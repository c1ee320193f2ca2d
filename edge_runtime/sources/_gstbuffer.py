"""The pixels of a GStreamer sample, in its own buffer. The buffer is held until nobody looks at them any more."""

from __future__ import annotations

import ctypes
from math import prod
from typing import Any, Tuple
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError
from edge_runtime.libraries.once import once
from edge_runtime.native.pictures import shapes
from edge_runtime.types.pixels import Pixels

KEPT = 3  # buffers of a pipeline that are held; further ones are copied, because a decoder may have only a few
FORMATS = {
    "NV12": "nv12", "I420": "i420", "Y42B": "yuv422p", "YUY2": "yuyv", "GRAY8": "gray8", "BGRx": "bgrx", "BGR": "bgr24",
}  # fmt: skip
CAPS = f"video/x-raw,format=(string){{{','.join(FORMATS)}}}"
FULL_RANGE, BT709 = 1, 3  # of GstVideoColorRange and GstVideoColorMatrix
PLANES = 4


class _MapInfo(ctypes.Structure):
    """GstMapInfo: the place of a buffer's bytes."""

    _fields_ = (
        ("memory", ctypes.c_void_p), ("flags", ctypes.c_int), ("data", ctypes.c_void_p), ("size", ctypes.c_size_t),
        ("maxsize", ctypes.c_size_t), ("reserved", ctypes.c_void_p * 8),
    )  # fmt: skip


class _VideoInfo(ctypes.Structure):
    """GstVideoInfo: the layout that follows from the caps."""

    _fields_ = (
        ("finfo", ctypes.c_void_p), ("interlace", ctypes.c_int), ("flags", ctypes.c_int), ("width", ctypes.c_int),
        ("height", ctypes.c_int), ("size", ctypes.c_size_t), ("views", ctypes.c_int), ("site", ctypes.c_int),
        ("range", ctypes.c_int), ("matrix", ctypes.c_int), ("transfer", ctypes.c_int), ("primaries", ctypes.c_int),
        ("ratios", ctypes.c_int * 4), ("offset", ctypes.c_size_t * PLANES), ("stride", ctypes.c_int * PLANES),
        ("reserved", ctypes.c_void_p * 32),
    )  # fmt: skip


class _VideoMeta(ctypes.Structure):
    """GstVideoMeta: the layout of one buffer, where its maker chose another."""

    _fields_ = (
        ("meta_flags", ctypes.c_int), ("meta_info", ctypes.c_void_p), ("buffer", ctypes.c_void_p),
        ("flags", ctypes.c_int), ("format", ctypes.c_int), ("id", ctypes.c_int), ("width", ctypes.c_uint),
        ("height", ctypes.c_uint), ("n_planes", ctypes.c_uint), ("offset", ctypes.c_size_t * PLANES),
        ("stride", ctypes.c_int * PLANES),
    )  # fmt: skip


class _Held:
    """A mapped buffer. It is given back when the last array in it is gone."""

    def __init__(self, buffer: Any) -> None:
        self._buffer, self._library, self._info = buffer, _gstreamer(), _MapInfo()
        self.address = ctypes.c_void_p(hash(buffer))  # of the GstBuffer: PyGObject maps it into a copy
        self._mapped = bool(self._library.gst_buffer_map(self.address, ctypes.byref(self._info), 1))
        if not self._mapped:
            raise SourceError("GStreamer does not map a frame", hint="is the appsink fed from the host's memory?")

    def __del__(self) -> None:
        if self._mapped:
            self._library.gst_buffer_unmap(self.address, ctypes.byref(self._info))

    def view(self, offset: int, stride: int, shape: Tuple[int, ...]) -> NDArray[np.uint8]:
        """An array in the buffer, not writable."""
        row = prod(shape[1:])
        if stride < row or offset + stride * (shape[0] - 1) + row > self._info.size:
            raise SourceError(
                "a frame of the pipeline is smaller than its caps", hint="does videoconvert before it help?"
            )
        inner = (1,) if len(shape) == 2 else (shape[2], 1)
        return np.asarray(_Plane(self, int(self._info.data or 0) + offset, shape, (stride, *inner)))


class _Plane:
    """What numpy needs to look into a buffer, and holds on to."""

    def __init__(self, held: _Held, address: int, shape: Tuple[int, ...], strides: Tuple[int, ...]) -> None:
        self._held = held
        self.__array_interface__ = {
            "data": (address, True), "shape": shape, "strides": strides, "typestr": "|u1", "version": 3,
        }  # fmt: skip


class Buffers:
    """Makes pixels of samples. A few stay in GStreamer's buffers at a time, and further ones are copied."""

    def __init__(self) -> None:
        self._held: WeakSet[_Held] = WeakSet()

    def pixels(self, sample: Any) -> Pixels:
        """The pixels of a sample.

        Raises:
            SourceError: they are of a format that we do not know, or in another memory than the host's.
        """
        caps, held = sample.get_caps(), _Held(sample.get_buffer())
        shape = caps.get_structure(0)
        form = FORMATS.get(shape.get_string("format") or "")
        if form is None:
            raise SourceError(
                f"the pipeline gives {shape.get_string('format')}", hint=f"end it with videoconvert ! {CAPS}"
            )
        info = _info(caps)
        offsets, strides = _layout(held.address, info)
        places = zip(offsets, strides, shapes(info.width, info.height)[form])
        planes = tuple(held.view(*place) for place in places)
        if len(self._held) >= KEPT:
            planes = tuple(np.array(plane) for plane in planes)
        else:
            self._held.add(held)
        return Pixels(form, planes, info.width, info.height, *_colour(info))


def _info(caps: Any) -> _VideoInfo:
    info = _VideoInfo()
    if not _gstvideo().gst_video_info_from_caps(ctypes.byref(info), ctypes.c_void_p(hash(caps))):
        raise SourceError("GStreamer does not read the caps of a frame", hint=f"they are {caps.to_string()}")
    return info


def _layout(buffer: ctypes.c_void_p, info: _VideoInfo) -> Tuple[Tuple[int, ...], Tuple[int, ...]]:
    """Offset and stride of each plane, in bytes."""
    meta = _gstvideo().gst_buffer_get_video_meta(buffer)
    of: Any = meta.contents if meta else info
    return tuple(of.offset), tuple(of.stride)


def _colour(info: _VideoInfo) -> Tuple[str, bool]:
    """Matrix and range of `Pixels`. If the stream says nothing, GStreamer has filled in what videoconvert takes."""
    return ("bt709" if info.matrix == BT709 else "bt601"), info.range == FULL_RANGE


@once
def _gstreamer() -> Any:
    return ctypes.CDLL("libgstreamer-1.0.so.0")


@once
def _gstvideo() -> Any:
    library = ctypes.CDLL("libgstvideo-1.0.so.0")
    library.gst_buffer_get_video_meta.restype = ctypes.POINTER(_VideoMeta)
    return library
