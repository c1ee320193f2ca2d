"""What may have a second reader: files, folders and what is generated; no camera, stream, address or pipe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime import sources
from edge_runtime.errors import UsageError
from edge_runtime.sources import SourceOptions


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMERA", "rtsp://camera/1")
    monkeypatch.setenv("FILM", "a.mp4")
    for name in ("a.mp4", "b.jpg", "gst:a.mp4"):
        Path(name).write_bytes(b"")
    Path("list.txt").write_text("http://host/a.mp4\n", encoding="utf-8")
    Path("photos").mkdir()
    os.mkfifo("pipe.mp4")


@pytest.mark.parametrize("target", ["a.mp4", "b.jpg", "photos", "*.jpg", "demo", "synthetic", "synthetic://8x8?frames=9",
                                    "env:FILM", "gst:a.mp4", "missing.mp4"])  # fmt: skip
def test_these_are(target: str) -> None:
    assert sources.repeatable(target)


@pytest.mark.parametrize("target", ["0", "/dev/video0", "csi://0", "rtsp://host/1", "http://host/a.mp4", "env:CAMERA",
                                    "@list.txt", "gst:videotestsrc ! x", "synthetic://8x8@30", "pipe.mp4"])  # fmt: skip
def test_these_are_not(target: str) -> None:
    assert not sources.repeatable(target)


def test_a_rate_makes_a_pattern_live() -> None:
    assert not sources.repeatable("synthetic", SourceOptions(fps=30))
    assert sources.repeatable("a.mp4", SourceOptions(fps=30)), "a file has its own"


def test_an_address_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(UsageError):
        sources.repeatable("env:NOTHING_OF_THAT_NAME")
