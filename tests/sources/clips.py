"""Small videos whose frames can be told apart: frame i is a grey of level 40 + 6 * i."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Tuple

import cv2
import numpy as np


def picture(index: int, size_wh: Tuple[int, int] = (64, 48)) -> np.ndarray:
    width, height = size_wh
    return np.full((height, width, 3), 40 + 6 * index % 192, np.uint8)


def number(image: np.ndarray) -> int:
    """The index of a picture that went through a codec."""
    return round((float(image.mean()) - 38) / 6)


def write_clip(path: Path, frames: int, fourcc: str = "mp4v", fps: float = 25.0, noise: bool = False) -> Path:
    """A real clip; its first 32 frames can be told apart. Noise makes them large, so that damage hits few of them."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*fourcc), fps, (64, 48))
    assert writer.isOpened()
    for i in range(frames):
        image = picture(i)
        writer.write(image + np.random.default_rng(i).integers(0, 30, image.shape, np.uint8) if noise else image)
    writer.release()
    return path


def write_cut_avi(path: Path, frames: int, whole_frames: int) -> Path:
    """An AVI whose header promises `frames`, cut in front of frame `whole_frames`."""
    content = write_clip(path, frames, "MJPG").read_bytes()
    frames_at = content.index(b"movi")
    starts = [match.start() for match in re.finditer(b"00dc", content[frames_at:])]
    path.write_bytes(content[: frames_at + starts[whole_frames]])
    return path
