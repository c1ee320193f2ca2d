"""Network streams: RTSP, and MJPEG or video over HTTP. They reconnect. PyAV reads them, or OpenCV without it."""

from __future__ import annotations

import ssl
import time
from functools import partial
from typing import Callable, Optional, Union
from urllib.parse import urlsplit

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.imaging import pyav
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sources import SourceOptions, image, video
from edge_runtime.sources._avcapture import AvCapture
from edge_runtime.sources._avopen import open_address, said
from edge_runtime.sources._cvvideo import CvVideoSource
from edge_runtime.sources._live import LiveSource
from edge_runtime.sources._opencv import CvCapture
from edge_runtime.sources._pictures import Capture
from edge_runtime.sources._rtspcapture import RtspCapture
from edge_runtime.sources._server import UNCHECKED, Unfit
from edge_runtime.sources._web import WebStream
from edge_runtime.sources.video import VideoSource
from edge_runtime.text.secrets import public

HANDLES = ("rtsp://", "rtsps://", "http://", "https://")
PRIORITY = 1  # before the suffixes of files: rtsp://camera/live.mp4 is a stream

TIMEOUT_MS = 5000  # time to wait for a connection, and for each frame
AGAIN_S = (0.1, 0.3)  # pauses before FFmpeg tries again
CHECK = "check address, user and password (in a password write / @ # as %2F %40 %23); try it in a player"


def open(target: str, options: SourceOptions) -> Union[StreamSource, VideoSource, CvVideoSource]:
    """Opens a stream. An http(s) URL whose path ends like a video file is read as a file: not live, every frame.

    Raises:
        SourceError: the first connection fails, because a wrong address should not look like an outage. Or the address
            is a single picture, which FFmpeg would fetch again and again as a stream of 25 fps.
        UsageError: the address makes no sense, or there are no certificates in `options.ca_file`.
    """
    check(target, options)
    address = urlsplit(target)
    if address.scheme.startswith("http") and address.path.lower().endswith(video.HANDLES):
        return video.open(target, options)
    return StreamSource(target, options)


def check(target: str, options: SourceOptions) -> None:
    """See `sources.check`."""
    try:
        address = urlsplit(target)
    except ValueError as error:
        raise UsageError(f"{target} is no address: {error}", hint="expected rtsp://camera/stream") from error
    if address.scheme.startswith("http") and address.path.lower().endswith(image.SUFFIXES):
        raise SourceError(f"{public(target)} is one picture, not a stream", hint="download it, then give the file")
    if pyav.preferred() and options.ca_file not in (None, UNCHECKED):
        _check_certificates(str(options.ca_file))


class StreamSource(LiveSource):
    """A live network stream.

    Args:
        target: its address.
        make: reads the stream instead.
    """

    def __init__(self, target: str, options: SourceOptions, make: Optional[Callable[[], Capture]] = None) -> None:
        name = public(target)
        make = make or partial(_capture, target, options)
        super().__init__(name, make, options, partial(_failure, name), f"from {_host(name)}")


def _capture(target: str, options: SourceOptions) -> Capture:
    """Our own client reads H.264 and H.265 over RTSP, and FFmpeg everything else."""
    limit_s = options.patience_s or TIMEOUT_MS / 1000
    if not pyav.preferred():
        return _by_opencv(target, options)
    if not target.lower().startswith("rtsp"):
        web = WebStream(target, limit_s, options.ca_file)
        return AvCapture(web.open, limit_s=limit_s, ring=options.packets, web=web)
    container = partial(open_address, target, limit_s, live=True, ca_file=options.ca_file)
    by_ffmpeg = partial(AvCapture, container, limit_s=limit_s, timed=True, ring=options.packets)
    try:
        return RtspCapture(target, limit_s, options.ca_file, options.packets)
    except Unfit:
        return _again(by_ffmpeg)


def _again(make: Callable[[], AvCapture]) -> AvCapture:
    """Some cameras refuse a second connection until they have noticed that the first one is closed."""
    capture = make()
    for pause_s in AGAIN_S:
        if capture.opened or capture.refused:
            break
        capture.close()
        time.sleep(pause_s)
        capture = make()
    return capture


def _by_opencv(target: str, options: SourceOptions) -> Capture:
    if options.ca_file is not None:
        raise UsageError("OpenCV checks no certificate", hint="pip install av, which does")
    cv2 = load_cv2()
    limit_ms = round(1000 * options.patience_s) if options.patience_s else TIMEOUT_MS
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
    return CvCapture(target, cv2.CAP_FFMPEG, timeouts)


def _check_certificates(path: str) -> None:
    """Without this a wrong file would look like a camera that is away."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise UsageError(f"no certificates in {path!r}: {said(error)}", hint="give a file .pem, or none") from error


def _failure(name: str, reason: str) -> SourceError:
    return SourceError(f"no stream at {name}{f': {reason}' if reason else ''}", hint=CHECK)


def _host(name: str) -> str:
    try:
        return urlsplit(name).hostname or name
    except ValueError:  # an address that FFmpeg will refuse
        return name
