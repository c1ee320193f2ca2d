from __future__ import annotations

import math
from fractions import Fraction
from typing import Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.model.geometry import RESIZE_MODES, Letterbox, fit

SIDES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
INPUTS = st.tuples(st.integers(1, 1280), st.integers(1, 1280))


@pytest.mark.parametrize(
    ("image_wh", "model_wh", "resize", "expected"),
    [
        ((1280, 720), (640, 640), "letterbox", (0, 140, 640, 360)),
        ((720, 1280), (640, 640), "letterbox", (140, 0, 360, 640)),
        ((1280, 720), (640, 640), "letterbox_topleft", (0, 0, 640, 360)),
        ((1280, 720), (640, 640), "stretch", (0, 0, 640, 640)),
        ((640, 640), (640, 640), "letterbox", (0, 0, 640, 640)),
        ((1280, 720), (416, 416), "letterbox", (0, 91, 416, 234)),
        ((768, 576), (320, 320), "letterbox", (0, 40, 320, 240)),
        ((3, 2), (320, 320), "letterbox", (0, 53, 320, 213)),  # 107 rows of padding: the smaller half lies above
        ((4, 5), (10, 10), "letterbox", (1, 0, 8, 10)),
        ((4, 1), (10, 10), "letterbox", (0, 3, 10, 3)),  # 2.5 rows round up
        ((5000, 1), (416, 416), "letterbox", (0, 207, 416, 1)),  # never less than a pixel
        ((1, 1), (320, 240), "letterbox", (40, 0, 240, 240)),
    ],
)
def test_fit(
    image_wh: Tuple[int, int], model_wh: Tuple[int, int], resize: str, expected: Tuple[int, int, int, int]
) -> None:
    box = fit(image_wh, model_wh, resize)
    assert (box.pad_x, box.pad_y, box.width, box.height) == expected


@given(SIDES, INPUTS, st.sampled_from(RESIZE_MODES))
def test_the_image_lies_inside_and_fills_one_side(
    image_wh: Tuple[int, int], model_wh: Tuple[int, int], resize: str
) -> None:
    box = fit(image_wh, model_wh, resize)
    assert box.pad_x >= 0 and box.width >= 1 and box.pad_x + box.width <= model_wh[0]
    assert box.pad_y >= 0 and box.height >= 1 and box.pad_y + box.height <= model_wh[1]
    assert box.width == model_wh[0] or box.height == model_wh[1]
    assert (box.scale_x, box.scale_y) == (box.width / image_wh[0], box.height / image_wh[1])


@given(SIDES, INPUTS)
def test_the_ratio_is_kept_to_the_nearest_pixel(image_wh: Tuple[int, int], model_wh: Tuple[int, int]) -> None:
    box = fit(image_wh, model_wh)
    scale = min(Fraction(model_wh[0], image_wh[0]), Fraction(model_wh[1], image_wh[1]))
    exact = [max(1, math.floor(side * scale + Fraction(1, 2))) for side in image_wh]
    assert [box.width, box.height] == exact


@given(SIDES, INPUTS)
def test_padding_is_halved_with_the_smaller_half_first(image_wh: Tuple[int, int], model_wh: Tuple[int, int]) -> None:
    box = fit(image_wh, model_wh)
    assert model_wh[0] - box.width - 2 * box.pad_x in (0, 1)
    assert model_wh[1] - box.height - 2 * box.pad_y in (0, 1)


@given(SIDES, INPUTS, st.sampled_from(RESIZE_MODES), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_undo_inverts_apply(
    image_wh: Tuple[int, int], model_wh: Tuple[int, int], resize: str, corners: Tuple[float, ...]
) -> None:
    box = fit(image_wh, model_wh, resize)
    xyxy = (np.array([corners]) * np.array([*image_wh, *image_wh])).astype(np.float32)
    back = box.undo(box.apply(xyxy))
    # float32 model pixels carry 2^-24 of the input's side; undone, that grows by 1 / scale
    np.testing.assert_allclose(back, xyxy, rtol=1e-5, atol=max(model_wh) / min(box.scale_x, box.scale_y) * 2e-7)
    assert back.dtype == np.float32


def test_the_whole_image_maps_to_its_place() -> None:
    box = fit((1280, 720), (640, 640))
    assert box == Letterbox(0.5, 0.5, 0, 140, 640, 360)
    np.testing.assert_array_equal(box.apply(np.array([[0, 0, 1280, 720]], np.float32)), [[0, 140, 640, 500]])
    assert box.undo(np.empty((0, 4), np.float32)).shape == (0, 4)
