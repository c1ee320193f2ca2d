"""Results as a pipeline would hand them over, and a disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator, Optional

import numpy as np
import pytest

from edge_runtime.types import Detections, Frame, Result

LABELS = ("person", "cat")


def detections() -> Detections:
    rows = np.array([[4, 20, 40, 44, 0.9, 0], [10.5, 2, 60, 30, 0.123456, 1]], np.float32)
    return Detections.from_rows(rows, LABELS)


def result(
    index: int = 0,
    height: int = 48,
    width: int = 64,
    source: str = "cam",
    path: Optional[str] = None,
    noise: bool = False,
    fps: float = 25,
) -> Result:
    """One frame, grey or noise, with two boxes, at its time in a video of `fps` frames per second."""
    image = np.full((height, width, 3), 40 + index % 100, np.uint8)
    if noise:
        image = np.random.default_rng(index).integers(0, 256, image.shape, np.uint8)
    stages = {"capture": 1.23456, "inference": np.float64(7.0)}
    return Result(Frame(image, source, index, index / fps, path), detections(), stages, 8.76543)


def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size; for root only."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode:
        pytest.skip(f"cannot mount a small disk: {mount.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
