"""Picks frames from a video or a camera that differ from one another (k-centre on small pictures)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError
from edge_runtime.files import folders
from edge_runtime.imaging.opencv import resize
from edge_runtime.imaging.picture import write_picture
from edge_runtime.sources import Source

SIDE = 12  # side of the small picture that represents a frame, pixels
OURS = r"\d{6,}\.png"
Floats = NDArray[np.float32]


class Picker:
    """Keeps the `count` frames that differ most (greedy k-centre in one pass, constant memory).

    When it is full, look at the two kept frames that are closest to each other. A new frame replaces one of them if its
    distance to all other frames is larger than the distance of these two.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.frames: List[Tuple[int, NDArray[np.uint8]]] = []
        self._features: List[Floats] = []
        self._distances: NDArray[np.float64] = np.zeros((0, 0))

    def add(self, number: int, image: NDArray[np.uint8]) -> None:
        """Keeps or drops a frame, (H, W, 3) uint8."""
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
    source: Source,
    count: int,
    folder: Path,
    frames: Optional[int],
    tick: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> List[str]:
    """Reads a source to its end and saves the picked frames as PNG, without loss.

    Args:
        folder: folder for the pictures. Pictures of an earlier run are removed from it.
        frames: largest number of frames to look at. A live source never ends.
        tick: called after each frame.
        say: called with a message if the source breaks. The frames picked before are kept.

    Raises:
        SourceError: the source gave no frame.
        UsageError: the folder holds other files, or cannot be written.
    """
    with folders.replacing_folder(folder, OURS) as new:
        picker = Picker(count)
        try:
            for number in range(sys.maxsize if frames is None else frames):
                frame = source.read()
                if frame is None:
                    break
                picker.add(number, frame.image)
                tick()
        except SourceError as error:
            if not picker.frames:
                raise
            say(f"note: {error}: the frames before that are kept")
        if not picker.frames:
            raise SourceError(f"{source.name} gave no frame", hint="try the source with edge-detect --source first")
        names = [_saved(new, number, image) for number, image in sorted(picker.frames, key=lambda entry: entry[0])]
    return [str(folder / name) for name in names]


def _saved(folder: Path, number: int, image: NDArray[np.uint8]) -> str:
    name = f"{number:06d}.png"
    write_picture(folder / name, image)
    return name


def _feature(image: NDArray[np.uint8]) -> Floats:
    small: Floats = resize(image, (SIDE, SIDE)).astype(np.float32).reshape(-1)
    return small
