"""What the Darknet heads (YOLOv2, v3, v5) share: each anchor has `tx, ty, tw, th, objectness, classes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Mapping, Sequence, Tuple

import numpy as np

from edge_runtime.errors import SpecError
from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.anchors import SETS
from edge_runtime.model.decode import Level
from edge_runtime.model.spec import ModelSpec

Anchors = Tuple[Tuple[float, float], ...]

COCO: Tuple[Anchors, ...] = SETS["yolov5"]  # YOLOv3 has the same
COCO_TINY: Tuple[Anchors, ...] = (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319)))
BY_LEVELS: Mapping[int, Tuple[Anchors, ...]] = {3: COCO, 2: COCO_TINY}


@dataclass(frozen=True)
class Grids:
    """Maps and their anchors, finest stride first."""

    maps: Sequence[views.Map]
    anchors: Sequence[Anchors]
    scale_xy: Sequence[float]
    classes: int

    def levels(self) -> Tuple[Level, ...]:
        """Returns the levels for the native decoder."""
        return tuple(self._level(*each) for each in zip(self.maps, self.anchors, self.scale_xy))

    def _level(self, m: views.Map, anchors: Anchors, scale_xy: float) -> Level:
        k = 5 + self.classes
        return Level(m.grid_wh, m.view(0, k), m.view(5, k), m.view(4, k), m.stride_xy, anchors, scale_xy=scale_xy)

    def rows(self, outputs: Sequence[Floats]) -> Iterator[Tuple[views.Map, Floats, Floats, float]]:
        """Yields (map, (A, cells, 5 + C) values, (A, 1, 2) anchors, scale_xy) of every level."""
        for m, anchors, scale_xy in zip(self.maps, self.anchors, self.scale_xy):
            yield m, m.rows(outputs, len(anchors)), np.array(anchors, np.float32)[:, None], scale_xy


def grids(found: List[views.Map], spec: ModelSpec, defaults: Mapping[int, Tuple[Anchors, ...]], k: float) -> Grids:
    """Combines maps and anchors.

    Args:
        found: one map per level, finest first, all with the same number of channels.
        defaults: anchors by number of levels, for a spec without anchors.
        k: `scale_xy` for a spec that has none.

    Raises:
        SpecError: anchors, channels and labels contradict one another.
    """
    anchors = spec.anchors or defaults.get(len(found), ())
    scale_xy = spec.scale_xy or (k,) * len(found)
    if len(anchors) != len(found) or len(scale_xy) != len(found):
        raise SpecError(
            f"{len(found)} levels, but anchors for {len(anchors)} and scale_xy for {len(scale_xy)}",
            hint="list anchors and scale_xy for every level, finest stride first",
        )
    classes = {m.channels / len(a) - 5 for m, a in zip(found, anchors)}
    count = int(next(iter(classes)))
    if len(classes) > 1 or count not in classes or count < 1:
        raise SpecError(
            f"{[m.channels for m in found]} channels are not {[len(a) for a in anchors]} anchors times 5 + classes",
            hint="is this the right --family, and are the recipe's anchors those of the model?",
        )
    return Grids(found, anchors, scale_xy, views.agree(count, spec))
