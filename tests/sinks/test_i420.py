"""BGR to I420, beside the formula of BT.601."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.sinks._i420 import I420

RGB_TO_YUV = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112], [112, -93.786, -18.214]]) / 255  # BT.601


def converted(image: np.ndarray, gap: int = 0) -> np.ndarray:
    """Y, U and V one after the other, by way of planes whose rows have a gap between them."""
    height, width = image.shape[:2]
    sizes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    memory = [np.full((rows, columns + gap), 77, np.uint8) for rows, columns in sizes]
    planes = [whole[:, :columns] for whole, (_, columns) in zip(memory, sizes)]
    I420((width, height)).write(image, planes)
    assert all((whole[:, columns:] == 77).all() for whole, (_, columns) in zip(memory, sizes))
    return np.concatenate([plane.ravel() for plane in planes]).reshape(-1, width)


def reference(bgr: np.ndarray) -> np.ndarray:
    """In floats, with the colour of four pixels."""
    height, width = bgr.shape[:2]
    four = bgr.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    luma = bgr[..., ::-1] @ RGB_TO_YUV[0] + 16
    chroma = four[..., ::-1] @ RGB_TO_YUV[1:].T + 128
    return np.concatenate([luma.ravel(), chroma[..., 0].ravel(), chroma[..., 1].ravel()]).reshape(-1, width)


@pytest.mark.parametrize("size_wh", [(4, 4), (6, 10), (64, 48), (130, 34)])
@pytest.mark.parametrize("gap", [0, 5])
def test_within_two_levels_of_the_formula(size_wh: tuple, gap: int) -> None:
    width, height = size_wh
    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    assert np.abs(converted(image, gap) - reference(image)).max() <= 2


def test_the_ends_of_the_range() -> None:
    for bgr, yuv in (((0, 0, 0), (16, 128, 128)), ((255, 255, 255), (235, 128, 128)), ((255, 0, 0), (41, 240, 110))):
        image = np.full((4, 4, 3), bgr, np.uint8)
        planes = converted(image)
        assert (planes[0, 0], planes[4, 0], planes[5, 0]) == yuv  # BT.601, table 3


@pytest.mark.parametrize("column", [4, 5])
def test_a_thin_line_keeps_its_colour(column: int) -> None:
    image = np.full((8, 16, 3), 128, np.uint8)
    image[:, column] = 0, 0, 255
    red = converted(image)[10:].reshape(-1)[:32].reshape(4, 8)
    assert (red[:, 2] > 170).all() and (red[:, 4:] == 128).all()
