"""Sources and sinks that fail, hang and are counted; a detector that needs no network."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Callable, List, Optional

import numpy as np

from edge_runtime.backends import BackendOptions, replay
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SourceError
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Frame, Result
from tests.tiny import boxes_v8, write_onnx


def open_detector(folder: Path, name: str = "m", slots: int = 2) -> Detector:
    """One box in every image."""
    output = boxes_v8((32, 32, 16, 8, 0.9, 1))
    io = onnx_file.read_io(write_onnx(folder / f"{name}.onnx", {"output0": output}))
    path = str(folder / f"{name}.replay.npz")
    replay.record(path, io, [[output]])
    return Detector.open(path, flags=ModelFlags(family="yolo_v8", labels="a,b,c"), options=BackendOptions(slots=slots))


class Numbers:
    """Frames with a count; may fail, or hang like a driver: neither `read` nor `close` returns before `gate` is set."""

    fps: Optional[float] = 30.0
    frame_count: Optional[int] = None
    description = "numbers"

    def __init__(
        self, count: int, *, name: str = "", fails_at: int = -1, hangs_at: int = -1, live: bool = False
    ) -> None:
        self.name, self.live = name or f"numbers{count}", live
        self.count, self.fails_at, self.hangs_at = count, fails_at, hangs_at
        self.skipped: List[str] = []
        self.index = self.closed = 0
        self.gate = threading.Event()

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[Frame]:
        if self.index == self.hangs_at:
            self.gate.wait(60)
        if self.index == self.fails_at:
            raise SourceError(f"{self.name}: the cable was pulled", hint="plug it in")
        if self.closed or self.index == self.count:
            return None
        image = np.zeros((48, 64, 3), np.uint8) if buffer is None else buffer
        self.index += 1
        return Frame(image, self.name, self.index - 1, self.index / 30)

    def close(self) -> None:
        if self.index == self.hangs_at:
            self.gate.wait(60)
        self.closed += 1


class Sink:
    """Remembers indexes; hangs in `write` of one of them, or in `close`, until `gate` is set."""

    def __init__(self, target: str = "sink", hangs_at: int = -1, hangs_in_close: bool = False) -> None:
        self.target, self.hangs_at, self.hangs_in_close = target, hangs_at, hangs_in_close
        self.seen: List[int] = []
        self.finished = 0
        self.hanging, self.gate = threading.Event(), threading.Event()

    def write(self, result: Result) -> None:
        if len(self.seen) == self.hangs_at:
            self._hang()
        self.seen.append(result.frame.index)

    def close(self) -> None:
        if self.hangs_in_close:
            self._hang()
        self.finished += 1

    def _hang(self) -> None:
        self.hanging.set()
        self.gate.wait(60)


def descriptors() -> List[str]:
    """What this process has open, by where it leads; sorted."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # that of the listing itself
            continue
    return sorted(found)


def threads() -> List[str]:
    """Names of the threads that run, but for those of backends, which end with the detector."""
    return sorted(t.name for t in threading.enumerate() if not t.name.endswith("-inference"))


def within(seconds: float, done: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.01)
    return done()
