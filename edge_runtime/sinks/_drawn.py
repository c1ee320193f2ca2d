"""Results as pictures: boxes, and above them lines and zones."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.drawing import annotated, draw
from edge_runtime.imaging.places import draw_places
from edge_runtime.types import Result
from edge_runtime.types.places import PlaceStates, Point

Inside = Tuple[int, int, int, int]  # x, y, width and height of a frame in a larger picture


def drawn(result: Result, canvas: Optional[NDArray[np.uint8]] = None) -> NDArray[np.uint8]:
    """A copy of the frame with everything: in `canvas` if its shape fits, else in a new array."""
    image = annotated(result.frame.image, result.detections, canvas)
    if result.places is not None:
        draw_places(image, result.places)
    return image


def draw_result(image: NDArray[np.uint8], result: Result, inside: Optional[Inside] = None) -> NDArray[np.uint8]:
    """Draws everything into a picture of the frame, in place.

    Args:
        image: (H, W, 3) uint8 BGR.
        inside: where the frame is in it; None if its pixels are those of the frame.
    """
    found, places = result.detections, result.places
    if inside is not None:
        x, y, width, height = inside
        image_w, image_h = result.frame.image_wh
        scale, shift = np.array([width / image_w, height / image_h] * 2, np.float32), np.array([x, y] * 2, np.float32)
        found = replace(found, xyxy=found.xyxy * scale + shift)
        places = places and _moved(places, scale.tolist(), shift.tolist())
    draw(image, found)
    if places is not None:
        draw_places(image, places)
    return image


def _moved(places: PlaceStates, scale: Tuple[float, ...], shift: Tuple[float, ...]) -> PlaceStates:
    def move(points: Tuple[Point, ...]) -> Tuple[Point, ...]:
        return tuple((x * scale[0] + shift[0], y * scale[1] + shift[1]) for x, y in points)

    return PlaceStates(
        tuple(replace(line, points=move(line.points)) for line in places.lines),
        tuple(replace(zone, points=move(zone.points)) for zone in places.zones),
    )
