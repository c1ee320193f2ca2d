"""Lines and zones in pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_runtime.imaging.places import draw_places
from edge_runtime.types.places import LineState, PlaceStates, ZoneState

YARD = ZoneState("yard", ((20.0, 60.0), (150.0, 60.0), (150.0, 200.0), (20.0, 200.0)), ((4, 1.5),))
PLACES = PlaceStates((LineState("gate", ((200.0, 250.0), (380.0, 250.0)), 3, 1),), (YARD,))


def blank() -> np.ndarray:
    return np.full((300, 400, 3), 90, np.uint8)


def test_outlines_and_counts() -> None:
    image, other = blank(), blank()
    draw_places(image, PLACES)
    assert (image[250, 380] == 255).all() and (image[130, 20] == 255).all() and (image[200, 85] == 255).all()
    assert (image[130, 85] == 90).all(), "not filled"
    draw_places(other, replace(PLACES, lines=(replace(PLACES.lines[0], in_count=4),)))
    assert (image != other).any(), "the count is drawn"


def test_a_place_outside_the_picture_harms_nothing() -> None:
    image = blank()
    draw_places(image, PlaceStates((LineState("far", ((60000.0, 60000.0), (65536.0, 50000.0)), 0, 0),)))
    assert (image[:250, :300] == 90).all()
