"""Motion in frames: noise and slow light are none, a small object that moves is."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.loop.motion import Motion, small
from edge_runtime.types import Frame
from tests.native.test_pixels import picture

FPS, HEIGHT, WIDTH = 15, 360, 640
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
SCENE = 60 + X / WIDTH * 120 + 20 * np.sin(X / 9) + 20 * np.sin(Y / 7)


def changed(
    frames: int, change: Callable[[np.ndarray, int], np.ndarray] = lambda image, i: image, noise: float = 4.0
) -> List[bool]:
    """Whether motion is seen in each frame but the first, of a scene with a camera's noise."""
    motion, rng = Motion(), np.random.default_rng(1)
    found = []
    for i in range(frames):
        image = change(SCENE.copy(), i) + rng.normal(0, noise, SCENE.shape)
        grey = np.clip(image, 0, 255).astype(np.uint8)
        found.append(motion.seen(Frame(np.repeat(grey[..., None], 3, axis=2), "a", i, i / FPS)))
    assert found[0], "nothing is known before the first frame"
    return found[1:]


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0, 10.0])
def test_noise_alone_is_no_motion(noise: float) -> None:
    assert not any(changed(60, noise=noise))


def test_slow_light_is_no_motion() -> None:
    assert not any(changed(60, lambda image, i: image + 5 * i / FPS))
    assert not any(changed(60, lambda image, i: image * (1 + i / FPS / 16)))


def test_a_change_of_exposure_is_no_motion() -> None:
    assert not any(changed(40, lambda image, i: image + 8 * (i > 20)))


@pytest.mark.parametrize("side, contrast", [(8, 60), (8, -60), (12, 40)])
def test_a_small_object_that_moves_is_seen(side: int, contrast: int) -> None:
    def move(image: np.ndarray, i: int) -> np.ndarray:
        image[200 : 200 + side, 100 + 4 * i : 100 + side + 4 * i] += contrast
        return image

    found = changed(45, move)
    assert sum(found) > 0.8 * len(found)


def test_an_object_that_stays_becomes_background_and_is_seen_when_it_leaves() -> None:
    def park(image: np.ndarray, i: int) -> np.ndarray:
        if 10 <= i < 150:
            image[200:230, 100:140] += 50
        return image

    found = changed(170, park)
    assert all(found[9:15]) and not any(found[120:149]) and all(found[149:155])


def test_another_size_a_new_beginning_and_earlier_times_are_not_compared() -> None:
    motion, image = Motion(), np.zeros((90, 160, 3), np.uint8)
    assert motion.seen(Frame(image, "a", 0, 0.0)) and not motion.seen(Frame(image, "a", 1, 0.1))
    assert motion.seen(Frame(image[:60].copy(), "a", 2, 0.2)) and not motion.seen(Frame(image[:60].copy(), "a", 3, 0.3))
    assert motion.seen(Frame(image[:60].copy(), "a", 0, 0.0), 1) and not motion.seen(Frame(image[:60], "a", 1, 0.1), 1)
    assert motion.seen(Frame(image[:60], "a", 1, 0.0), 1)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 400), (181, 7)])
def test_pictures_of_any_size_are_taken(shape: tuple) -> None:
    motion = Motion()
    seen = [
        motion.seen(Frame(np.full((*shape, 3), level, np.uint8), "a", i, i / 9)) for i, level in enumerate((0, 0, 9))
    ]
    assert seen[:2] == [True, False]


@pytest.mark.parametrize("format_", ["bgr24", "bgrx", "nv12", "i420", "yuv422p", "yuyv", "gray8"])
def test_pixels_are_read_without_a_conversion(format_: str) -> None:
    frame = Frame(None, "a", 0, 0.0, pixels=picture(format_, 64, 48, 7))
    cells = small(frame)
    assert frame.made is None and cells.shape == (12, 16)
    # colours are noise too, and change green
    assert np.corrcoef(cells.ravel(), small(Frame(frame.image, "a", 0, 0.0)).ravel())[0, 1] > 0.5


def test_a_recording(shared: Path) -> None:
    """An empty corridor, then people. In the first second of the file, the encoder still sharpens the picture."""
    clip = sources.open(str(shared / "video/one-by-one-person-detection.mp4"))
    motion = Motion()
    found = [motion.seen(clip.read()) for _ in range(120)]
    clip.close()
    assert sum(found[1:50]) <= 5 and all(found[60:])
