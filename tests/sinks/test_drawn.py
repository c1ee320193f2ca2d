"""Boxes, lines and zones in a picture of another size than the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_runtime.sinks._page import Page
from edge_runtime.types.places import LineState, PlaceStates
from tests.sinks.results import result

GATE = PlaceStates((LineState("gate", ((200.0, 250.0), (380.0, 250.0)), 3, 1),))


def test_a_line_is_scaled_with_its_frame() -> None:
    shown = replace(result(height=300, width=400), places=GATE)
    same = Page(np.zeros((300, 400, 3), np.uint8)).draw(shown)
    half = Page(np.zeros((400, 200, 3), np.uint8)).draw(shown)  # the frame lies in its rows 125 to 275
    assert (same[250, 380] == 255).all() and (half[125 + 125, 190] == 255).all()
    assert (half[250, 198] != 255).any(), "the line ends"
