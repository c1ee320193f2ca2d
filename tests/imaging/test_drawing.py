"""Drawing: in place, inside the image, in colours that can be told apart."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import SpecError
from edge_runtime.imaging.drawing import annotated, color, draw
from edge_runtime.types import Detections

GREY = 90


def boxes(*rows: tuple) -> Detections:
    return Detections.from_rows(np.array(rows, np.float32).reshape(-1, 6), ("person", "a class of a long name"))


def blank(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def test_draws_in_place_and_returns_the_image() -> None:
    image = blank(300, 400)
    assert draw(image, boxes((50, 100, 200, 250, 0.9, 0))) is image
    assert tuple(image[180, 50]) == tuple(image[250, 120]) == color(0), "left and lower edge"
    assert tuple(image[180, 120]) == (GREY,) * 3, "not filled"


def test_ids_are_drawn() -> None:
    plain, same, tracked = (boxes((50, 100, 200, 250, 0.9, 0)) for _ in range(3))
    same.tracker_id, tracked.tracker_id = np.array([-1], np.int32), np.array([7], np.int32)
    pictures = [draw(blank(300, 400), each) for each in (plain, same, tracked)]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[0] != pictures[2]).any()


def test_no_boxes_no_change() -> None:
    assert (draw(blank(30, 40), boxes()) == GREY).all()


def test_the_label_lies_above_its_box_and_can_be_read() -> None:
    image = draw(blank(300, 400), boxes((50, 100, 200, 250, 0.9, 0)))
    (top, *_) = np.flatnonzero((image[:, 51] == color(0)).all(axis=1))
    assert 80 <= top <= 88, "as high as this OpenCV's font"
    label = image[top:100, 51:110].reshape(-1, 3)
    assert (label == color(0)).all(axis=1).mean() > 0.4, "its background"
    ink = np.abs(label.astype(int) - color(0)).max(axis=1)
    assert 0.05 < (ink > 100).mean() < 0.5, "its letters"


@pytest.mark.parametrize("row", [(0, 0, 30, 20), (380, 0, 400, 10), (390, 290, 400, 300), (0, 295, 5, 300)])
def test_labels_stay_inside_the_image(row: tuple) -> None:
    """The whole bar is there: as many coloured pixels in a corner as in the middle."""

    def area(*xyxy: float) -> int:
        image = draw(blank(300, 400), boxes((*xyxy, 0.9, 1)))
        return int((image != GREY).any(axis=2).sum())

    width, height = row[2] - row[0], row[3] - row[1]
    in_the_middle = area(150, 150, 150 + width, 150 + height)
    assert area(*row) >= in_the_middle - 2 * (width + height + 2) * 2, "at most the box lies under its label"


def test_lines_grow_with_the_image() -> None:
    def thickness(height: int, width: int) -> int:
        image = draw(blank(height, width), boxes((width * 0.3, height * 0.3, width * 0.9, height * 0.9, 0.5, 0)))
        return int((image[round(height * 0.6)] != GREY).any(axis=1).sum()) // 2

    assert thickness(240, 320) == 1
    assert thickness(720, 1280) == 2 or thickness(720, 1280) == 3
    assert thickness(2160, 3840) >= 6


def test_the_more_confident_label_lies_on_top() -> None:
    image = draw(blank(300, 400), boxes((50, 100, 200, 250, 0.9, 0), (50, 100, 200, 250, 0.3, 1)))
    assert tuple(image[99, 51]) == color(0)


def test_colours_are_stable_and_apart() -> None:
    colours = [color(class_id) for class_id in range(12)]
    assert colours == [color(class_id) for class_id in range(12)]
    assert min(np.abs(np.subtract(a, b)).sum() for a, b in combinations(colours, 2)) > 60
    assert len({color(class_id) for class_id in range(80)}) == 80


def test_annotated_copies_into_its_canvas() -> None:
    image, canvas = blank(60, 80), np.zeros((60, 80, 3), np.uint8)
    found = boxes((10, 30, 50, 50, 0.9, 0))
    assert annotated(image, found, canvas) is canvas and (image == GREY).all()
    np.testing.assert_array_equal(canvas, draw(blank(60, 80), found))
    assert annotated(image, found, np.zeros((5, 5, 3), np.uint8)).shape == image.shape


def read_only() -> np.ndarray:
    image = blank(60, 80)
    image.flags.writeable = False
    return image


@pytest.mark.parametrize(
    "image",
    [
        None,
        blank(60, 80)[..., 0],
        blank(60, 80) / 255,
        blank(60, 80)[..., ::-1],
        blank(60, 80)[::-1],
        read_only(),
        "a.jpg",
    ],
)
def test_what_cannot_be_drawn_into_is_refused(image: Any) -> None:
    with pytest.raises(SpecError, match="to draw into") as caught:
        draw(image, boxes((10, 30, 50, 50, 0.9, 0)))
    assert "detections.draw(image)" in str(caught.value.hint)


def test_a_part_of_an_image_can_be_drawn_into() -> None:
    image = blank(60, 80)
    draw(image[10:50, 20:70], boxes((0, 0, 30, 30, 0.9, 0)))
    assert (image[10:50, 20:70] != GREY).any() and (image[:, :20] == GREY).all()


@given(
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    row=st.tuples(*[st.floats(-300, 300, width=32) for _ in range(4)], st.floats(0, 1, width=32), st.integers(-1, 99)),
)
def test_any_box_in_any_image(size: tuple, row: tuple) -> None:
    assert draw(blank(*size), boxes(row)).shape == (*size, 3)
