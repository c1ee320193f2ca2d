"""Shows a window for each source, with OpenCV."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Dict

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.libraries.extras import install_hint
from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._drawn import drawn
from edge_runtime.text.escape import printable
from edge_runtime.types import Result

HANDLES = ("window",)
ESC = 27


def open(target: str, options: SinkOptions) -> WindowSink:
    """Prepares the window. It opens at the first frame.

    Raises:
        SinkError: there is no display, or OpenCV has no windows.
    """
    check(target, options)
    _try_in_a_child()
    return WindowSink(target)


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`. Whether a window can be opened on the display is not tried."""
    load_cv2()
    if not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        hint = "on the desktop? export DISPLAY=:0; over ssh use ssh -X; or write to out.mp4 instead"
        raise SinkError("no display to open a window on", hint=hint)
    return ""


class WindowSink:
    """Shows every result.

    Attributes:
        closed: the user pressed q or Esc, or closed a window. The caller should stop.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.closed = False
        self._canvases: Dict[str, NDArray[np.uint8]] = {}

    def write(self, result: Result) -> None:
        """See `Sink.write`. All calls must come from the same thread, because OpenCV's windows belong to a thread."""
        if self.closed:
            return
        cv2, name = load_cv2(), printable(result.frame.source)
        if name not in self._canvases:
            cv2.namedWindow(name, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(name, *result.frame.image_wh)
        self._canvases[name] = drawn(result, self._canvases.get(name))
        cv2.imshow(name, self._canvases[name])
        key = cv2.waitKey(1) & 0xFF
        self.closed = key in (ord("q"), ESC) or cv2.getWindowProperty(name, cv2.WND_PROP_VISIBLE) < 1

    def close(self) -> None:
        """See `Sink.close`."""
        if self._canvases:
            load_cv2().destroyAllWindows()
            self._canvases.clear()


def _try_in_a_child() -> None:
    """Tries a window in another process first, because a toolkit without a display aborts the process."""
    attempt = [sys.executable, "-c", "import cv2; cv2.namedWindow('edge-detect'); cv2.waitKey(1)"]
    child = subprocess.run(attempt, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if child.returncode == 0:
        return
    if b"not implemented" in child.stderr:
        hint = f"pip uninstall opencv-python-headless, then {install_hint('gui')}"
        raise SinkError("this OpenCV has no windows", hint=hint)
    lines = child.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
    reason = next((line for line in lines if "display" in line), lines[-1])
    raise SinkError(f"no window could be opened: {reason}", hint="is DISPLAY right, and may you use it? try xeyes")
