"""Constructors that fail give back what they hold, and what is passed over does not grow for ever."""

from __future__ import annotations

from typing import Callable, List, Optional, Type

import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.sources import KEPT, Skipped, SourceOptions, _cvvideo, _gst, rtsp, v4l2, video


class Capture:
    """In the place of one that holds a device: fails where it is told to, and knows whether it was given back."""

    size, form, lost, refused, slow = "64x48", "MJPG", 0, False, False

    def __init__(self, opened: bool = True, error: Optional[BaseException] = None) -> None:
        self.opened, self.closed, self._fails, self.error = opened, False, error, ""

    @property
    def fps(self) -> float:
        self.look_ahead()
        return 30.0

    def look_ahead(self) -> None:
        if self._fails:
            raise self._fails

    def get(self, prop: int) -> float:
        return 0.0

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize(
    ("module", "name", "make"),
    [
        (video, "AvReader", lambda: video.VideoSource("clip.mp4", SourceOptions())),
        (_cvvideo, "CvCapture", lambda: _cvvideo.CvVideoSource("clip.mp4", SourceOptions())),
    ],
    ids=["video", "video by OpenCV"],
)
def test_a_constructor_that_fails_closes_its_device(
    module, name: str, make: Callable[[], object], error: Type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = Capture(error=error())
    monkeypatch.setattr(module, name, lambda *_: capture)
    with pytest.raises(error):
        make()
    assert capture.closed


@pytest.mark.parametrize(("module", "name"), [(v4l2, "_camera"), (_cvvideo, "CvCapture")])
def test_what_is_not_open_is_closed(module, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = Capture(opened=False)
    monkeypatch.setattr(module, name, lambda *_: capture)
    with pytest.raises(SourceError):
        v4l2.CameraSource("0", 0, SourceOptions()) if module is v4l2 else _cvvideo.CvVideoSource("a", SourceOptions())
    assert capture.closed


def test_no_stream_is_no_connection_left_open() -> None:
    capture = Capture(opened=False)
    with pytest.raises(SourceError, match="no stream"):
        rtsp.StreamSource("rtsp://camera/live", SourceOptions(), lambda: capture)
    assert capture.closed


def test_an_interrupt_before_the_first_frame_stops_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argus keeps a camera locked that was not given back."""
    stopped: List[bool] = []

    def interrupt(self: _gst.GstCapture) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_gst.GstCapture, "reopen", interrupt)
    monkeypatch.setattr(_gst.GstCapture, "_stop", lambda self: stopped.append(True))
    with pytest.raises(KeyboardInterrupt):
        _gst.GstCapture("videotestsrc ! appsink", 1.0)
    assert stopped


def test_what_was_passed_over_is_kept_up_to_a_number() -> None:
    skipped = Skipped()
    skipped += [f"frame {number}" for number in range(KEPT)]
    assert skipped == [f"frame {number}" for number in range(KEPT)]
    for number in range(KEPT, 3 * KEPT):
        skipped.append(f"frame {number}")
    assert len(skipped) == KEPT and skipped[0] == f"{2 * KEPT + 1} more before these"
    assert skipped[1:] == [f"frame {number}" for number in range(2 * KEPT + 1, 3 * KEPT)]


def test_sources_bound_what_they_passed_over() -> None:
    source = sources.open("synthetic://64x48")
    assert isinstance(source.skipped, Skipped)
    source.close()
