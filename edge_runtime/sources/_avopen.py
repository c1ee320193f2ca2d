"""Opens files, addresses and cameras with PyAV, so that FFmpeg reads a name as nothing else."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Tuple

from edge_runtime.imaging.pyav import load_av
from edge_runtime.sources._server import UNCHECKED, Refused

WEB = "http,https,httpproxy,tcp,tls,crypto,data"
RTSP = f"rtsp,rtsps,rtp,srtp,udp,{WEB}"
# The formats of FFmpeg that hold pictures themselves. Playlists are left out: they would open further files.
CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,asf,flv,live_flv,ogg,mjpeg,mjpeg_2000,jpeg_pipe,h264,hevc,vvc,m4v,h263,ivf,obu,av1,vc1,"
    "dv,mxf,nut,gxf,rm,swf,wtv,yuv4mpegpipe,apng,gif,webp_pipe"
)
NO_ANSWER = "no answer in time"
LENIENT = 19  # from this PyAV on, text that is no UTF-8 is read without an argument for it


def open_file(path: str) -> Any:
    """An av container for a file, whatever its name is: `a:b.mp4`, `%03d.mp4`, a name that is no UTF-8.

    Raises:
        av.error.FFmpegError, OSError, ValueError: it cannot be opened.
    """
    only = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    return _open(f"file:{os.path.abspath(path)}", only, None)


def open_address(address: str, timeout_s: float, live: bool, ca_file: Optional[str] = None) -> Any:
    """An av container for an address.

    Args:
        address: rtsp(s):// or http(s)://.
        timeout_s: seconds to wait for the connection, and for each packet.
        live: whether it is a stream, which may also be a playlist.
        ca_file: certificates (PEM) of those who may vouch for a server of rtsps:// or https://. None checks nothing.

    Raises:
        av.error.FFmpegError, OSError, ValueError: it cannot be opened.
    """
    options = {"protocol_whitelist": WEB} if address.lower().startswith("http") else {"protocol_whitelist": RTSP}
    if address.lower().startswith("rtsp"):
        options["rtsp_flags"] = "prefer_tcp"
    if live:
        options["fpsprobesize"] = "2"  # frames that wait for the rate to be known would come out old
    else:
        options["format_whitelist"] = CONTAINERS
        options["multiple_requests"] = "1"  # FFmpeg 8 asks again on a connection that it wanted closed
    if ca_file not in (None, UNCHECKED):
        options.update(tls_verify="1", ca_file=str(ca_file))
    return _open(address, options, (timeout_s, timeout_s))


def open_stream(file: Any, form: Optional[str]) -> Any:
    """An av container for a live stream that a file of ours reads.

    Args:
        file: has `read(size)`.
        form: FFmpeg's name of its format; None to find it out.

    Raises:
        av.error.FFmpegError, OSError, ValueError: it cannot be opened.
    """
    only = {"protocol_whitelist": "none", "format_whitelist": f"{CONTAINERS},mpjpeg", "fpsprobesize": "2"}
    return _open(file, only, None, form)


def open_camera(device: str, kind: Optional[str], size_wh: Tuple[int, int], fps: float) -> Any:
    """An av container for a V4L2 camera.

    Args:
        device: "/dev/video0".
        kind: "mjpeg" or "yuyv422"; None leaves it to the driver.
        size_wh: (width, height) in pixels. The driver may choose another size.
        fps: frames per second. The driver may choose another rate.

    Raises:
        av.error.FFmpegError, OSError, ValueError: it cannot be opened, or does not give this kind.
    """
    options = {"video_size": f"{size_wh[0]}x{size_wh[1]}", "framerate": f"{fps:g}", "fflags": "nonblock"}
    if kind:
        options["input_format"] = kind
    return _open(device, options, None, form="video4linux2")


def is_refusal(error: BaseException) -> bool:
    """Whether a server wants another user or password (401), or does not let us in (403)."""
    av = load_av()
    return isinstance(error, (Refused, av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError))


def said(error: BaseException) -> str:
    """Why something could not be opened or read, in FFmpeg's words. It ends a wait with "Immediate exit requested"."""
    text = getattr(error, "strerror", None) or str(error)
    if isinstance(error, load_av().error.ExitError) or "timed out" in text:
        return NO_ANSWER
    return text[:1].lower() + text[1:]


def _open(
    name: Any, options: Dict[str, str], timeout: Optional[Tuple[float, float]], form: Optional[str] = None
) -> Any:
    """Opens it. Text in the file that is no UTF-8 is no reason to refuse it.

    The options are the container's alone: with options of streams, PyAV 12 crashes on formats that have no header.
    """
    av = load_av()
    lenient = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < LENIENT else {}
    return av.open(name, format=form, container_options=options, timeout=timeout, **lenient)
