"""The picture of an object: from which frame, which part, how large."""

from __future__ import annotations

from typing import Tuple

import cv2
import numpy as np
import pytest

from edge_runtime.events import pictures
from edge_runtime.events.options import EventOptions
from edge_runtime.native.pictures import shapes
from edge_runtime.types import Frame
from edge_runtime.types.pixels import Pixels

WH = (64, 48)


def filled(form: str, wh: Tuple[int, int]) -> Pixels:
    """A picture of one colour per four by four pixels."""
    random = np.random.default_rng(7)
    planes = []
    for shape in shapes(*wh)[form]:
        step = 4 if shape[0] == wh[1] else 2
        small = random.integers(30, 220, tuple(-(-side // step) for side in shape[:2]) + shape[2:], np.uint8)
        planes.append(small.repeat(step, 0).repeat(step, 1)[: shape[0], : shape[1]].copy())
    return Pixels(form, tuple(planes), *wh)


@pytest.mark.parametrize("form", ["bgr24", "bgrx", "nv12", "i420", "yuv422p", "yuyv", "gray8"])
@pytest.mark.parametrize("wh", [(64, 48), (63, 47)])
def test_a_part_of_pixels_is_that_part_of_the_image(form: str, wh: Tuple[int, int]) -> None:
    picture = filled(form, wh)
    for left, top, right, bottom in ((0, 0, *wh), (11, 7, 40, 30), (wh[0] - 1, wh[1] - 1, *wh), (3, 2, 4, 3)):
        part = picture.crop(left, top, right, bottom)
        left, top = left // 2 * 2, top // 2 * 2
        np.testing.assert_array_equal(part.bgr(), picture.bgr()[top:bottom, left:right])
        assert not any(np.shares_memory(one, other) for one, other in zip(part.planes, picture.planes))


def test_large_and_sure_and_whole_objects_are_shown_best() -> None:
    score = pictures.score((10, 10, 30, 30), 0.8, WH)
    assert pictures.score((10, 10, 40, 40), 0.8, WH) > score
    assert pictures.score((10, 10, 30, 30), 0.9, WH) > score
    assert pictures.score((0, 10, 24, 30), 0.8, WH) < score, "the border cuts it off"


@pytest.mark.parametrize("box", [(20, 10, 40, 30), (0, 0, 64, 48), (-5, -5, 3, 3), (60, 40, 90, 90), (10, 10, 10, 10)])
@pytest.mark.parametrize("with_pixels", [True, False])
def test_what_is_cut_out_is_in_the_frame_and_a_copy(box: pictures.Box, with_pixels: bool) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    frame = Frame(None, "a", 0, 0.0, pixels=filled("nv12", WH)) if with_pixels else Frame(image, "a", 0, 0.0)
    part = pictures.cut_out(frame, box, 0.1)
    assert 0 < pictures.size_of(part) <= image.nbytes
    assert isinstance(part, Pixels) == with_pixels
    assert with_pixels or not np.shares_memory(part, image)


def test_the_margin_is_around_the_object() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 30:70] = 255
    part = pictures.cut_out(Frame(image, "a", 0, 0.0), (30, 40, 70, 60), 0.25)
    assert part.shape == (40, 60, 3) and (part[10:30, 10:50] == 255).all() and part.sum() == image.sum()


@pytest.mark.parametrize(("shape", "size"), [((1000, 500), (320, 160)), ((100, 40), (100, 40)), ((3000, 1), (320, 1))])
def test_a_file_has_a_bounded_size(shape: Tuple[int, int], size: Tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    data = pictures.to_jpeg(image, EventOptions())
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == size
    assert len(pictures.to_jpeg(image, EventOptions(quality=10))) < len(data)
