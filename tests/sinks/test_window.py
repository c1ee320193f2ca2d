"""The window: errors, not aborts, where there is none."""

from __future__ import annotations

import cv2
import pytest

from edge_runtime import sinks
from edge_runtime.errors import SinkError
from edge_runtime.libraries.extras import install_hint


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def has_windows() -> bool:
    gui = next(line for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:"))
    return "NONE" not in gui


def test_without_a_display(no_display: None) -> None:
    with pytest.raises(SinkError, match="no display") as caught:
        sinks.open("window")
    assert "DISPLAY" in str(caught.value.hint)


@pytest.mark.skipif(has_windows(), reason="this OpenCV has windows")
def test_a_headless_opencv(no_display: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":99")
    with pytest.raises(SinkError, match="this OpenCV has no windows") as caught:
        sinks.open("window")
    assert install_hint("gui") in str(caught.value.hint)


@pytest.mark.skipif(not has_windows(), reason="needs an OpenCV with windows: pip install '.[gui]'")
def test_a_display_that_does_not_answer(no_display: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":12345")
    with pytest.raises(SinkError, match="no window could be opened"):
        sinks.open("window")
