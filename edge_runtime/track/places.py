"""Lines and zones as a user describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.types.places import Point

PIXELS, FRACTIONS = "pixels", "fractions"
LARGEST, MOST_CORNERS = 65_536, 1000
BOTH = "pixels of the frame, or fractions of it if no number is above 1"


@dataclass(frozen=True)
class Place:
    """A line or a zone.

    Attributes:
        name: for outputs.
        points: (x, y) of each, in pixels of the frame, or in fractions of its width and height.
        unit: "pixels" or "fractions". "" means fractions if no number is above 1, else pixels.

    Raises:
        UsageError: the points are too few, are no line or have no area, or mix fractions with pixels.
    """

    name: str
    points: Tuple[Point, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)
        values = [value for point in self.points for value in point]
        above = next((value for value in values if value > 1), None)
        if self.unit == FRACTIONS and above is not None:
            raise UsageError(f"{self.name} has a corner at {above:g}, above 1", hint="fractions are from 0 to 1")
        if not self.unit and not self.fractions and any(0 < value < 1 for value in values):
            raise UsageError(f"{self.name} mixes fractions with pixels", hint=f"give {BOTH}")

    @property
    def fractions(self) -> bool:
        """Whether the points are fractions of the frame."""
        return self.unit == FRACTIONS or (not self.unit and all(value <= 1 for point in self.points for value in point))

    def pixels(self, image_wh: Optional[Tuple[int, int]]) -> NDArray[np.float64]:
        """(n, 2) points in pixels of an image.

        Raises:
            UsageError: the points are fractions, and the size of the image is unknown.
        """
        if not self.fractions:
            return np.array(self.points, np.float64)
        if image_wh is None:
            raise UsageError(f"{self.name} is in fractions of an unknown image", hint="give it in pixels")
        return np.array(self.points, np.float64) * image_wh


@dataclass(frozen=True)
class Line(Place):
    """A line between two points. Objects are counted that cross it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.points) != 2 or self.points[0] == self.points[1]:
            raise UsageError(f"{self.name} is no line", hint="give two different points: x1,y1,x2,y2")


@dataclass(frozen=True)
class Zone(Place):
    """A polygon. Objects are counted whose lower edge has its middle inside."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.points)) < 3 or not _spread(np.array(self.points)):
            raise UsageError(f"{self.name} has no area", hint="give three corners or more: x1,y1,x2,y2,x3,y3")


def _spread(points: NDArray[np.float64]) -> bool:
    """Whether the points are not all on one line."""
    return bool(np.linalg.matrix_rank(points - points[0]) == 2)


_COORDINATE = fields.number(0, LARGEST)
FIELDS = {
    "name": fields.text(80),
    "unit": fields.one_of(("", PIXELS, FRACTIONS)),
    "points": fields.several(fields.several(_COORDINATE, 2, 2), 2, MOST_CORNERS),
}
