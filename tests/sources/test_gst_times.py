"""When frames of GStreamer came."""

from __future__ import annotations

import time

import pytest

from edge_runtime.sources import _gst, gstreamer
from tests.loop.parts import within

pytestmark = pytest.mark.skipif(gstreamer.available() is not None, reason=str(gstreamer.available()))
RAW = "video/x-raw,format=BGR,width=64,height=48,framerate=20/1"
CAMERA = f"videotestsrc is-live=true num-buffers=2 ! {RAW} ! {gstreamer.NEWEST}"


def test_a_frame_came_when_it_came_and_not_when_it_was_taken():
    capture = _gst.GstCapture(CAMERA, 5)
    assert capture.read() is not None and within(10, lambda: len(capture._arrived) == 2)
    time.sleep(0.3)
    taken_s = time.monotonic()
    assert capture.read() is not None and capture.came_s < taken_s - 0.3 + 0.05
    capture.close()


def test_a_frame_may_come_while_another_one_is_taken():
    capture = _gst.GstCapture(CAMERA, 5)

    class Meanwhile:
        def __eq__(self, pts: object) -> bool:
            capture._arrived.append((-1, 0.0))
            return False

    capture._arrived.append((Meanwhile(), 0.0))
    assert capture.read() is not None
    capture.close()
