"""A camera on the loopback: H.264 over RTSP, a process that can die and come back on the same port.

python -m tests.sources.rtsp_server PORT
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

LAUNCH = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)


class RtspServer:
    """Serves from `start()` to `stop()`."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/live"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.sources.rtsp_server", str(self.port)]
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self._process.stdout is not None and self._process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def serve(port: int) -> None:
    import gi

    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    server = GstRtspServer.RTSPServer(service=str(port), address="127.0.0.1")
    factory = GstRtspServer.RTSPMediaFactory(launch=LAUNCH, shared=True)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
