"""Draws lines and zones with their counts into an image."""

from __future__ import annotations

from typing import Any, Protocol, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging import drawing
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.text.escape import printable

WHITE = (255, 255, 255)


class Place(Protocol):
    """What lines and zones have in common."""

    @property
    def name(self) -> str:
        """As the user gave it."""

    @property
    def points(self) -> Tuple[Tuple[float, float], ...]:
        """Corners or ends, image pixels."""


class Line(Place, Protocol):
    """A line to draw: `types.places.LineState`, which this floor cannot import."""

    @property
    def in_count(self) -> int:
        """Objects that crossed it inwards."""

    @property
    def out_count(self) -> int:
        """Objects that crossed it outwards."""


class Zone(Place, Protocol):
    """A zone to draw: `types.places.ZoneState`."""

    @property
    def inside(self) -> Sequence[Any]:
        """The objects in it."""


class Places(Protocol):
    """What to draw: `types.places.PlaceStates`."""

    @property
    def lines(self) -> Sequence[Line]:
        """The lines."""

    @property
    def zones(self) -> Sequence[Zone]:
        """The zones."""


def draw_places(image: NDArray[np.uint8], places: Places) -> None:
    """Draws lines with the numbers of objects in and out, and zones with the number inside, in place.

    Args:
        image: (H, W, 3) uint8 BGR.
        places: in pixels of this image.
    """
    for zone in places.zones:
        _outline(image, zone.points, f"{printable(zone.name)}: {len(zone.inside)}", closed=True)
    for line in places.lines:
        text = f"{printable(line.name)}: in {line.in_count} out {line.out_count}"
        _outline(image, line.points, text, closed=False)


def _outline(image: NDArray[np.uint8], points: Tuple[Tuple[float, float], ...], text: str, closed: bool) -> None:
    corners = np.rint(np.array(points)).astype(np.int32)
    load_cv2().polylines(image, [corners], closed, WHITE, drawing.thickness(image))
    drawing.draw_text(image, corners[0], text, WHITE)
