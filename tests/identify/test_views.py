"""Copies of a picture: a box that is found in a copy lies on the same thing in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.identify.views import View, views

BOX = (50, 40, 90, 90)  # x1, y1, x2, y2 of a white block


def block(view: View) -> np.ndarray:
    """The white block in a copy, as a row of a box."""
    ys, xs = np.nonzero(view.image[:, :, 0] > 200)
    return np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, 0.9, 3]], np.float32)


@pytest.fixture
def seen() -> list:
    image = np.zeros((120, 160, 3), np.uint8)
    image[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    return views(image)


def test_the_way_back_leads_to_the_same_place(seen: list) -> None:
    for view in seen:
        row = view.back(block(view))
        assert np.abs(row[0, :4] - BOX).max() <= 1.5, "a pixel and a half, for the rounding of the smaller copy"
        assert row[0, 4:].tolist() == pytest.approx([0.9, 3])


def test_every_copy_differs_from_the_picture(seen: list) -> None:
    places = [block(view)[0, :4].tolist() for view in seen]
    assert len(seen) == 4 and places[0] == list(BOX)
    assert all(np.abs(np.subtract(place, BOX)).max() > 4 for place in places[1:])


def test_a_picture_of_one_pixel_has_copies() -> None:
    assert all(view.image.size for view in views(np.zeros((1, 1, 3), np.uint8)))
