"""A test pattern of any size and rate, for benchmarks. A frame costs one copy."""

from __future__ import annotations

import re
import threading
import time
from typing import List, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from edge_runtime.sources import Skipped, SourceOptions
from edge_runtime.types import Frame

HANDLES = ("synthetic", "synthetic://")
SYNTAX = re.compile(r"synthetic(?:://(?:(\d+)x(\d+))?(?:@(\d+(?:\.\d+)?))?(?:\?frames=(\d+))?)?")


def open(target: str, options: SourceOptions) -> SyntheticSource:
    """Opens `synthetic` or `synthetic://1280x720@30?frames=20000`. Each part may be left out.

    Without a rate (or with 0) frames come as fast as they are taken, and none is lost. With a rate they come by the
    clock, like those of a camera, and the source is live.

    Raises:
        UsageError: the target has another form.
    """
    parts = SYNTAX.fullmatch(target)
    if parts is None:
        raise UsageError(f"cannot read {target!r}", hint="expected synthetic://1280x720@30?frames=20000")
    width, height, fps, frames = parts.groups()
    size_wh = (int(width), int(height)) if width else options.size_wh or (1280, 720)
    if min(size_wh) < 1:
        raise UsageError(f"no pixels in {target!r}", hint="expected at least 1x1")
    return SyntheticSource(target, *size_wh, float(fps or 0) or options.fps or None, int(frames) if frames else None)


class SyntheticSource:
    """A gradient with a box that moves from frame to frame."""

    def __init__(self, target: str, width: int, height: int, fps: Optional[float], frames: Optional[int]) -> None:
        self.name, self.fps, self.live = target, fps, fps is not None
        self.frame_count = None if self.live else frames
        self._end = float("inf") if frames is None else frames
        self.skipped: List[str] = Skipped()
        self.description = f"{width}x{height} test pattern, {f'{fps:g} fps' if fps else 'as fast as it is taken'}"
        ramp_x, ramp_y = np.linspace(0, 255, width), np.linspace(0, 255, height)
        self._pattern = np.empty((height, width, 3), np.uint8)
        self._pattern[..., 0], self._pattern[..., 1], self._pattern[..., 2] = ramp_x, ramp_y[:, None], 128
        self._index = 0
        self._start_s: Optional[float] = None
        self._closing = threading.Event()

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`. If a source with a rate is read late, `index` has a gap, like that of a camera."""
        if self.fps:
            self._wait(self.fps)
        if self._closing.is_set() or self._index >= self._end:
            return None
        if buffer is None or buffer.shape != self._pattern.shape:
            buffer = np.empty_like(self._pattern)
        np.copyto(buffer, self._pattern)
        height, width = buffer.shape[:2]
        side = max(1, min(height, width) // 8)
        x = 4 * self._index % max(1, width - side)
        buffer[height // 2 : height // 2 + side, x : x + side] = 255
        frame = Frame(buffer, self.name, self._index, time.time() if self.live else self._index / 30.0)
        self._index += 1
        return frame

    def close(self) -> None:
        """See `Source.close`."""
        self._closing.set()

    def _wait(self, fps: float) -> None:
        """Waits until the next frame is due. Frames that were due earlier are lost."""
        now_s = time.monotonic()
        if self._start_s is None:
            self._start_s = now_s
        self._index = max(self._index, int((now_s - self._start_s) * fps))
        self._closing.wait(max(0.0, self._start_s + self._index / fps - now_s))
