"""GStreamer: a Jetson's CSI cameras and video hardware. On a PC the same pipelines run in software.

Targets are `csi://0` (an Argus camera, converted and scaled by the VIC), `gst+v4l2:///dev/video0` (MJPEG),
`gst+rtsp://…` and `gst+file://…` (decoded by hardware if there is some), and `gst:videotestsrc ! …`: any pipeline. Its
newest frame is taken at its end, unless it ends with its own appsink.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Callable, List, Optional, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BackendUnavailable, SourceError, UsageError
from edge_runtime.imaging import gst
from edge_runtime.jetson import board, video_nodes
from edge_runtime.sources import Skipped, SourceOptions, _gst, _gstbuffer, _gstpackets
from edge_runtime.sources._live import LiveSource
from edge_runtime.sources._pictures import frame_of
from edge_runtime.sources._recorder import Recorder
from edge_runtime.text.secrets import public
from edge_runtime.types import Frame
from edge_runtime.types.packets import PacketRing

HANDLES = ("csi:", "csi://", "gst:", "gst+rtsp://", "gst+rtsps://", "gst+file://", "gst+v4l2://")
BEGIN_S = 10.0  # time to wait for the first frame, and for each later one
NEWEST = f"appsink name={_gst.SINK} max-buffers=1 drop=true sync=false"
EVERY = f"appsink name={_gst.SINK} max-buffers={_gst.WAITING} drop=false sync=false"
LIVE = re.compile(r"\bappsink\b.*\bdrop=(true|1|yes)\b", re.IGNORECASE)
HOW = "through GStreamer"
KNOWN = f"videoconvert ! {_gstbuffer.CAPS}"  # converts nothing that we can read
Has = Callable[[str], bool]


def available() -> Optional[str]:
    """None if PyGObject and GStreamer are here, else the reason."""
    try:
        gst.load_gst()
    except BackendUnavailable as error:
        return str(error)
    return None


def open(target: str, options: SourceOptions) -> Union[GstSource, LiveSource]:
    """Opens a camera, stream, file or pipeline.

    Raises:
        BackendUnavailable: GStreamer is missing.
        UsageError: the target or pipeline makes no sense.
        SourceError: no frame comes. The device is released.
    """
    gst.load_gst()
    reason = None if gst.has("nvarguscamerasrc") or not target.startswith("csi:") else gst.left_out("nvarguscamerasrc")
    if reason:
        raise reason
    text = pipeline(target, options, gst.has)
    name = public(target)
    plain = pipeline(target, replace(options, packets=None), gst.has)
    make = partial(_gst.GstCapture, text, options.patience_s or BEGIN_S, options.packets, plain)
    if LIVE.search(text):
        return LiveSource(name, make, options, partial(_gst.failure, name, text), HOW)
    capture = make()
    if not capture.opened and plain != text:
        capture.reopen()
    if not capture.opened:
        raise capture.failure(name)
    return GstSource(name, capture, options.loop, options.packets)


def pipeline(target: str, options: SourceOptions, has: Has) -> str:
    """The pipeline for a target, made of installed elements: those for hardware first, else those in software.

    Args:
        has: whether a kind of element is installed.

    Raises:
        UsageError: the target names no camera, address, file or pipeline.
        SourceError: a CSI camera is asked for without Argus, or the device is not a camera.
    """
    kind, _, rest = target.partition(":")
    if kind == "gst":
        return _own(rest)
    if kind == "csi":
        return _csi(target, options, has)
    rest = rest[2:]
    if kind == "gst+v4l2":
        return _v4l2(target, rest, options, has)
    if not rest:
        raise UsageError(f"nothing behind {kind}://", hint="gst+rtsp://camera/stream or gst+file:///path/clip.mp4")
    # decodebin chooses a Jetson's nvv4l2decoder by itself, because its rank is above the software's
    if kind == "gst+file":
        return _branched(f"filesrc location={_quoted(rest)}", options, f"decodebin ! {_shrunk(options, has)} ! {EVERY}")
    address = f"{kind[len('gst+') :]}://{rest}"
    stream = f"rtspsrc location={_quoted(address)} latency=200"
    return _branched(stream, options, f"decodebin ! {_shrunk(options, has)} ! {NEWEST}")


class GstSource:
    """Every frame of a file, or of a pipeline that waits for us."""

    live = False
    frame_count: Optional[int] = None

    def __init__(self, name: str, capture: _gst.GstCapture, loop: bool, ring: Optional[PacketRing] = None) -> None:
        self.name, self.fps = name, capture.fps
        self.skipped: List[str] = Skipped()
        rate = f"{self.fps:g} fps" if self.fps else "no rate"
        self.description = f"{capture.size} at {rate} {HOW}"
        self._capture, self._loop, self._recorder = capture, loop, Recorder(ring)
        self._index, self._before_s, self._closed, self.restarts = 0, 0.0, False, 0

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`.

        Raises:
            SourceError: the pipeline failed. It is stopped and its device is released.
        """
        if self._closed:
            return None
        picture = self._capture.read(buffer)
        if picture is None and self._loop and self._capture.ended:
            self._before_s += self._capture.position_s + 1 / (self.fps or 30)
            self._capture.reopen()
            self.restarts += 1
            picture = self._capture.read(buffer)
        if picture is None:
            failed = not self._closed and not self._capture.ended
            self.close()
            if failed:
                raise self._capture.failure(self.name)
            return None
        self._index += 1
        stamp_s = self._before_s + self._capture.position_s
        self._capture.packets.pull(self._capture.position_s, stamp_s)
        frame = frame_of(picture, buffer, self.name, self._index - 1, stamp_s)
        return self._recorder.keep(frame, self.restarts)

    def close(self) -> None:
        """See `Source.close`."""
        self._closed = True
        self._capture.close()


def _own(text: str) -> str:
    text = text.strip()
    if not text:
        raise UsageError("an empty pipeline", hint="gst:videotestsrc ! video/x-raw,width=640,height=480")
    if "appsink" not in text:
        return f"{text} ! {KNOWN} ! {NEWEST}"
    return text if f"name={_gst.SINK}" in text else text.replace("appsink", f"appsink name={_gst.SINK}", 1)


def _csi(target: str, options: SourceOptions, has: Has) -> str:
    number = re.fullmatch(r"csi:(?://)?(\d+)", target)
    if number is None:
        raise UsageError(f"no camera number in {target!r}", hint="expected csi://0")
    if not has("nvarguscamerasrc"):
        raise SourceError(
            "no CSI camera: nvarguscamerasrc is not installed",
            hint="it comes with JetPack; in a container mount /tmp/argus_socket and use --runtime nvidia",
        )
    width, height = options.size_wh or (1920, 1080)
    size = f"width={width},height={height},framerate={round(options.fps or 30)}/1"
    return (f"nvarguscamerasrc sensor-id={number[1]} ! video/x-raw(memory:NVMM),{size} ! {_shrunk(options, has)} ! "
            f"{NEWEST}")  # fmt: skip


def _v4l2(target: str, rest: str, options: SourceOptions, has: Has) -> str:
    device = re.fullmatch(r"(?:/dev/video)?(\d+)", rest)
    if device is None:
        raise UsageError(f"no camera number in {target!r}", hint="expected gst+v4l2:///dev/video0 or gst+v4l2://0")
    video_nodes.refuse(f"/dev/video{device[1]}", board.root())
    width, height = options.size_wh or (1280, 720)
    jpeg = f"image/jpeg,width={width},height={height},framerate={round(options.fps or 30)}/1"
    decoder = "nvv4l2decoder mjpeg=1" if has("nvv4l2decoder") else "jpegdec"
    camera = f"v4l2src device=/dev/video{device[1]} ! {jpeg}"
    decoded = f"{decoder} ! {_shrunk(options, has)} ! {NEWEST}"
    if options.packets is None:
        return f"{camera} ! {decoded}"
    return f"{camera} ! {_gstpackets.BRANCH} ! {decoded} {_gstpackets.END}"


def _branched(stream: str, options: SourceOptions, decoded: str) -> str:
    """With a branch for encoded pictures before the decoder, if somebody wants them."""
    if options.packets is None:
        return f"{stream} ! {decoded}"
    return f"{stream} ! parsebin ! {_gstpackets.CODED} ! {_gstpackets.BRANCH} ! {decoded} {_gstpackets.END}"


def _shrunk(options: SourceOptions, has: Has) -> str:
    """A format that we can read, from a Jetson's memory by the VIC. With `shrink_wh`, frames are scaled down to fit."""
    most = options.shrink_wh
    fit = f",width=[1,{most[0]}],height=[1,{most[1]}],pixel-aspect-ratio=1/1" if most else ""
    if has("nvvidconv"):
        return f"nvvidconv ! video/x-raw,format=NV12{fit}"
    return f"videoscale ! video/x-raw{fit} ! {KNOWN}" if most else KNOWN


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
