"""A camera on the loopback whose pictures say when they were taken: bars at their top hold the time.

python -m tests.sources.stamped PORT PIPELINE FPS SIZE; a line "640x360" on its standard input changes the size.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, List, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime import sources
from tests.sources.rtsp_server import RtspServer, h264

Image = NDArray[np.uint8]
BITS, CHECK, HIGH = 32, 8, 24  # of the time in ms, of its check sum; height of the bars in pixels
FROZEN_S, WAITING = 1.5, 3  # without a push it was frozen; buffers that wait for the encoder
EACH = 5  # of the pictures of the demo is shown


class StampedCamera(RtspServer):
    """See `RtspServer`. A picture that was due while it was frozen comes at once when it goes on, like videotestsrc's.

    Args:
        fps: pictures per second.
        size: "640x360".
        encoder: of GStreamer, with the payloader.
    """

    def __init__(self, fps: int = 15, size: str = "640x360", encoder: str = "") -> None:
        self.fps, self.size = fps, size
        encoder = encoder or f"{h264(fps)} config-interval=-1"
        source = "appsrc name=src is-live=true format=time ! videoconvert ! video/x-raw,format=I420"
        super().__init__(f"( {source} ! {encoder} name=pay0 pt=96 )")

    def resize(self, size: str) -> None:
        """The pictures have another size from now on, also in the connections that are open."""
        self.size = size
        assert self._process.stdin is not None
        self._process.stdin.write(f"{size}\n")
        self._process.stdin.flush()

    def _command(self) -> List[str]:
        return [sys.executable, "-m", "tests.sources.stamped", str(self.port), self.pipeline, str(self.fps), self.size]


def draw(image: Image, now_ms: int) -> None:
    """Draws the bars. Args: image: (H, W) uint8 or with channels, changed in place."""
    number = now_ms & 0xFFFFFFFF
    number |= sum(number.to_bytes(4, "little")) % 256 << BITS
    wide = image.shape[1] // (BITS + CHECK)
    for bit in range(BITS + CHECK):
        image[:HIGH, bit * wide : (bit + 1) * wide] = 235 if number >> bit & 1 else 16


def taken_s(image: Image, now_s: float) -> Optional[float]:
    """When a picture was taken, by `time.monotonic()`; None if its bars cannot be read.

    Args:
        image: (H, W, 3) uint8.
        now_s: the present, within three weeks.
    """
    wide = image.shape[1] // (BITS + CHECK)
    row = image[HIGH // 2, wide // 2 : wide * (BITS + CHECK) : wide, 1] > 128
    number = sum(int(bit) << place for place, bit in enumerate(row))
    stamp, check = number & 0xFFFFFFFF, number >> BITS
    if sum(stamp.to_bytes(4, "little")) % 256 != check:
        return None
    now_ms = int(now_s * 1e3)
    return (now_ms - ((now_ms - stamp + (1 << 31)) % (1 << 32) - (1 << 31))) / 1e3


class _Pushing:
    """Gives the pictures that are due to the media that plays."""

    def __init__(self, fps: int, size: str) -> None:
        self._fps, self._began_s, self._number = fps, time.monotonic(), 0
        self._source: Any = None
        demo = sources.open("demo", sources.SourceOptions(size_wh=(640, 360)))
        self._photos = [frame.image.copy() for frame in iter(demo.read, None) if frame.index % EACH == 0]
        self.resize(size)

    def resize(self, size: str) -> None:
        wide, high = map(int, size.split("x"))
        self._pictures = [cv2.resize(image, (wide, high)) for image in self._photos]
        self._caps = f"video/x-raw,format=BGR,width={wide},height={high},framerate={self._fps}/1"
        self._changed = True

    def begin(self, source: Any) -> None:
        """From now on for this appsrc."""
        self._source, self._changed = source, True

    def push(self) -> bool:
        """Everything that is due. Of a machine that is too slow to encode, pictures are left out, as cameras do."""
        from gi.repository import Gst

        due = int((time.monotonic() - self._began_s) * self._fps) - self._number
        frozen = due > FROZEN_S * self._fps
        while self._began_s + self._number / self._fps <= time.monotonic():
            due_s = self._began_s + self._number / self._fps
            self._number += 1
            source = self._source
            pts = 0 if source is None or not source.get_base_time() else int(due_s * 1e9) - source.get_base_time()
            if pts <= 0 or (not frozen and source.get_property("current-level-buffers") > WAITING):
                continue
            if self._changed:
                source.set_property("caps", Gst.Caps.from_string(self._caps))
                self._changed = False
            image = self._pictures[self._number % len(self._pictures)].copy()
            draw(image, int(due_s * 1e3))
            buffer = Gst.Buffer.new_wrapped(image.tobytes())
            buffer.pts, buffer.duration = pts, int(1e9 / self._fps)
            source.emit("push-buffer", buffer)
        return True


def serve(port: int, pipeline: str, fps: int, size: str) -> None:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    pushing = _Pushing(fps, size)
    server = GstRtspServer.RTSPServer(service=str(port), address="127.0.0.1")
    factory = GstRtspServer.RTSPMediaFactory(launch=pipeline, shared=True)
    factory.connect("media-configure", lambda _, media: pushing.begin(media.get_element().get_by_name("src")))
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    GLib.timeout_add(2, pushing.push)
    threading.Thread(target=_listen, args=(GLib, pushing), daemon=True).start()
    print("ready", flush=True)
    GLib.MainLoop().run()


def _listen(glib: Any, pushing: _Pushing) -> None:
    for line in sys.stdin:
        glib.idle_add(pushing.resize, line.strip())


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
