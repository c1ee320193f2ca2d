"""A clip for tests and first steps: the view moves and zooms over two photographs, of a person and of a cat."""

from __future__ import annotations

from math import cos, pi
from pathlib import Path
from typing import Any, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging import image_file
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sources import SourceOptions
from edge_runtime.sources._recorder import Recorder
from edge_runtime.types import Frame

HANDLES = ("demo", "demo://")
PHOTOS = Path(__file__).parent / "photos"
FPS = 30.0
FRAMES_PER_PHOTO = 100
GROUND = (32, 32, 32)
# Photograph; start and end of the view, as parts of the room in which it can move; its size, as parts of the largest
# view inside the photograph. Above 1 the whole photograph is seen, on a dark background.
SCENES = (
    ("astronaut.jpg", (0.5, 0.0), (0.3, 0.35), (0.8, 1.0)),
    ("chelsea.jpg", (0.5, 0.5), (0.5, 0.5), (1.7, 1.2)),
    ("astronaut.jpg", (0.2, 0.5), (0.8, 0.5), (1.8, 1.1)),
)


def open(target: str, options: SourceOptions) -> DemoSource:
    """Opens the clip: 300 frames, 30 per second of media time, 1280x720 unless the options have another size."""
    return DemoSource(target, options)


class DemoSource:
    """The clip. It is always the same, and every frame counts."""

    live = False
    fps: Optional[float] = FPS

    def __init__(self, target: str, options: SourceOptions) -> None:
        self.name = target
        self.skipped: List[str] = []
        self._size_wh = options.size_wh or (1280, 720)
        self._photos = [image_file.read_image(str(PHOTOS / name)) for name, *_ in SCENES]
        self._end = float("inf") if options.loop else len(SCENES) * FRAMES_PER_PHOTO
        self.frame_count = None if options.loop else len(SCENES) * FRAMES_PER_PHOTO
        width, height = self._size_wh
        self.description = f"{width}x{height} at {FPS:g} fps, two photographs"
        self._index, self._recorder = 0, Recorder(options.packets)

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`."""
        index = self._index
        if index >= self._end:
            return None
        self._index += 1
        width, height = self._size_wh
        if buffer is None or buffer.shape != (height, width, 3):
            buffer = np.empty((height, width, 3), np.uint8)
        self._render(index, buffer)
        return self._recorder.keep(Frame(buffer, self.name, index, index / FPS))

    def close(self) -> None:
        """See `Source.close`."""
        self._end = 0

    def _render(self, index: int, buffer: NDArray[np.uint8]) -> None:
        cv2 = load_cv2()
        scene, step = divmod(index, FRAMES_PER_PHOTO)
        photo, (_, *path) = self._photos[scene % len(SCENES)], SCENES[scene % len(SCENES)]
        view = _view(photo.shape[1::-1], self._size_wh, path, (1 - cos(pi * step / (FRAMES_PER_PHOTO - 1))) / 2)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(photo, view, self._size_wh, dst=buffer, flags=flags, borderValue=GROUND)


def _view(photo_wh: Tuple[int, ...], size_wh: Tuple[int, int], path: Any, t: float) -> NDArray[np.float64]:
    """(2, 3) float64, output pixels to photo pixels, at time t in 0..1: a window of the output's aspect ratio."""
    (start, end, zooms) = (np.array(part) for part in path)
    scale = min(p / s for p, s in zip(photo_wh, size_wh)) * (zooms[0] + t * (zooms[1] - zooms[0]))
    room = np.array(photo_wh) - scale * np.array(size_wh)
    corner = (start + t * (end - start)) * room
    return np.array([[scale, 0, corner[0] + (scale - 1) / 2], [0, scale, corner[1] + (scale - 1) / 2]])
