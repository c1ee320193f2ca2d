"""A camera on the loopback: H.264 over RTSP, a process that can die and come back on the same port.

python -m tests.sources.rtsp_server PORT PIPELINE USER:PASSWORD
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, List

H265 = "x265enc speed-preset=ultrafast tune=zerolatency key-int-max=15 ! rtph265pay"
JPEG = "jpegenc ! rtpjpegpay"


def h264(key: int = 15, more: str = "bframes=0 tune=zerolatency") -> str:
    """H.264 with a key picture every `key` pictures."""
    return f"x264enc speed-preset=ultrafast key-int-max={key} {more} ! rtph264pay"


def launch(size: str = "320x240", fps: int = 30, encoder: str = "") -> str:
    """A pipeline of the server: a white ball on black."""
    width, height = size.split("x")
    return (
        f"( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width={width},height={height},"
        f"framerate={fps}/1 ! {encoder or h264()} name=pay0 pt=96 )"
    )


class RtspServer:
    """Serves from `start()` to `stop()`."""

    def __init__(self, pipeline: str = "", user: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/live"
        self.pipeline, self.user = pipeline or launch(), user
        self.start()

    def start(self) -> None:
        root, pipe = Path(__file__).resolve().parents[2], subprocess.PIPE
        self._process = subprocess.Popen(self._command(), stdin=pipe, stdout=pipe, encoding="utf-8", cwd=root)
        assert self._process.stdout is not None and self._process.stdout.readline() == "ready\n"

    def _command(self) -> List[str]:
        return [sys.executable, "-m", "tests.sources.rtsp_server", str(self.port), self.pipeline, self.user]

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()


def serve(port: int, pipeline: str, user: str) -> None:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    server = GstRtspServer.RTSPServer(service=str(port), address="127.0.0.1")
    factory = GstRtspServer.RTSPMediaFactory(launch=pipeline, shared=True)
    if user:
        demand(server, factory, *user.split(":"))
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def demand(server: Any, factory: Any, user: str, password: str) -> None:
    """Lets nobody in but this user, by Digest."""
    from gi.repository import Gst, GstRtsp, GstRtspServer

    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    role = Gst.Structure.new_from_string("user,media.factory.access=true,media.factory.construct=true")
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role_from_structure(role)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
