"""Cameras: the ways in which they are not there. With a camera, the contract test reads from it."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from edge_runtime import plugins, sources
from edge_runtime.errors import SourceError, UsageError
from edge_runtime.sources import v4l2

ABSENT = 63


@pytest.mark.parametrize(
    "target", [f"{ABSENT}", f"camera:{ABSENT}", f"/dev/video{ABSENT}", f"v4l2:///dev/video{ABSENT}"]
)
def test_a_camera_that_does_not_exist(target: str) -> None:
    with pytest.raises(SourceError, match=f"no camera /dev/video{ABSENT}") as caught:
        sources.open(target)
    assert glob.glob("/dev/video*") or "cameras here: none" in str(caught.value.hint)


@pytest.mark.parametrize("target", ["camera:front", "v4l2://front", "/dev/videos"])
def test_no_number(target: str) -> None:
    with pytest.raises(UsageError, match="no camera number"):
        sources.open(target)


def test_a_device_that_is_no_camera(tmp_path: Path) -> None:
    """OpenCV is asked for a camera that the driver does not know."""
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        v4l2.CameraSource("63", ABSENT, sources.SourceOptions())
    assert "fuser" in str(caught.value.hint)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_no_permission(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch(mode=0)
    with pytest.raises(SourceError, match="no permission") as caught:
        v4l2._check(str(device))
    assert "video" in str(caught.value.hint)


def test_the_native_camera_wins_over_suffixes() -> None:
    assert plugins.pick("sources", "camera:0") is v4l2
