"""Picks frames that differ from one another out of a video or a camera: k-centre on small pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError
from edge_runtime.imaging.opencv import load_cv2, resize
from edge_runtime.sources import Source

SIDE = 12  # of the small picture that stands for a frame
Floats = NDArray[np.float32]


class Picker:
    """Keeps `count` frames that lie far apart, whatever comes (a greedy k-centre in one pass, constant memory).

    When it is full, a new frame replaces the one of the closest pair if it lies farther from all others than that pair
    is apart.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.frames: List[Tuple[int, NDArray[np.uint8]]] = []
        self._features: List[Floats] = []
        self._distances: NDArray[np.float64] = np.zeros((0, 0))

    def add(self, number: int, image: NDArray[np.uint8]) -> None:
        """Looks at a frame, (H, W, 3) uint8."""
        feature = _feature(image)
        away = np.array([float(np.linalg.norm(feature - other)) for other in self._features])
        if len(self.frames) < self._count:
            self._put(len(self.frames), number, image, feature, away)
            return
        closest = self._distances + np.diag(np.full(self._count, np.inf))
        pair = np.unravel_index(int(np.argmin(closest)), closest.shape)
        if away.min() > closest[pair]:
            self._put(int(max(pair)), number, image, feature, away)

    def _put(
        self, place: int, number: int, image: NDArray[np.uint8], feature: Floats, away: NDArray[np.float64]
    ) -> None:
        if place == len(self.frames):
            self.frames.append((number, image.copy()))
            self._features.append(feature)
            self._distances = np.pad(self._distances, (0, 1))
            away = np.append(away, 0.0)
        else:
            self.frames[place], self._features[place] = (number, image.copy()), feature
        away[place] = 0.0
        self._distances[place, :] = self._distances[:, place] = away


def pick(
    source: Source, count: int, folder: Path, frames: Optional[int], tick: Callable[[], None] = lambda: None
) -> List[str]:
    """Reads a source to its end and saves what was picked, as PNG without loss.

    Args:
        folder: is made; holds the pictures afterwards.
        frames: most frames to look at; a live source never ends.
        tick: called after each frame.

    Raises:
        SourceError: it gave no frame.
    """
    picker, number = Picker(count), 0
    while frames is None or number < frames:
        frame = source.read()
        if frame is None:
            break
        picker.add(number, frame.image)
        number += 1
        tick()
    if not picker.frames:
        raise SourceError(f"{source.name} gave no frame", hint="try it with edge-detect --source first")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{taken:06d}.png" for taken, _ in sorted(picker.frames, key=lambda entry: entry[0])]
    for path, (_, image) in zip(paths, sorted(picker.frames, key=lambda entry: entry[0])):
        load_cv2().imwrite(str(path), image)
    return [str(path) for path in paths]


def _feature(image: NDArray[np.uint8]) -> Floats:
    small: Floats = resize(image, (SIDE, SIDE)).astype(np.float32).reshape(-1)
    return small
