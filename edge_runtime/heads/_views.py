"""Head tensors on grids. They are found by their size. The native decoder reads them as `View`s, numpy as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Set, Tuple

import numpy as np

from edge_runtime.errors import SpecError
from edge_runtime.heads import ClassMismatch, Floats
from edge_runtime.model.decode import View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

STRIDES = (4, 8, 16, 32, 64, 128)
IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}  # red, green, blue, in 0..255
P3_TO_P5 = (8, 16, 32)  # the levels of YOLOX and YOLOv6, always


@dataclass(frozen=True)
class Map:
    """One head tensor that lies on a grid.

    Attributes:
        tensor: index of the output.
        stride: model pixels per cell.
        grid_wh: cells in x and y.
        channels: values per cell, for all anchors together.
        layout: "planar" [K, h, w], "last" [h, w, K] or [h*w, K], "anchors" [A, h, w, K / A].
        start: first row, if several levels share one tensor [N, K].
    """

    tensor: int
    stride: int
    grid_wh: Tuple[int, int]
    channels: int
    layout: str
    start: int = 0

    @property
    def cells(self) -> int:
        """Number of cells of the grid."""
        return self.grid_wh[0] * self.grid_wh[1]

    @property
    def stride_xy(self) -> Tuple[float, float]:
        """(x, y) model pixels per cell, as a `Level` needs it."""
        return float(self.stride), float(self.stride)

    def view(self, first: int, per_anchor: int = 0) -> View:
        """Returns where channel `first` lies. Each anchor has `per_anchor` channels, one after the other."""
        if self.layout == "planar":
            return View(self.tensor, first * self.cells, per_anchor * self.cells, 1, self.cells)
        if self.layout == "last":
            return View(self.tensor, self.start * self.channels + first, per_anchor, self.channels, 1)
        return View(self.tensor, first, self.cells * per_anchor, per_anchor, 1)

    def rows(self, outputs: Sequence[Floats], anchors: int = 1) -> Floats:
        """Returns the same values as (anchors, cells, channels / anchors), without the use of `view`."""
        tensor = outputs[self.tensor]
        if self.layout == "anchors":
            rows: Floats = tensor.reshape(anchors, self.cells, -1)
        else:
            last = np.moveaxis(tensor, 0, -1) if self.layout == "planar" else tensor
            rows = last.reshape(-1, self.channels)[self.start : self.start + self.cells]
            rows = rows.reshape(self.cells, anchors, -1).transpose(1, 0, 2)
        return rows

    def cell_xy(self) -> Floats:
        """Returns x and y of each cell, row by row, (cells, 2) float32."""
        y, x = np.divmod(np.arange(self.cells, dtype=np.float32), np.float32(self.grid_wh[0]))
        xy: Floats = np.stack([x, y], axis=1)
        return xy


def shapes(io: ModelIO) -> List[Shape]:
    """Returns the output shapes without the batch axis."""
    return [shape[1:] for shape in io.shapes]


def fits(read: Callable[[Sequence[Shape], ModelSpec], object], io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether a head's function `read` accepts these outputs without an error."""
    try:
        read(shapes(io), probe(io, num_classes))
    except SpecError:
        return False
    return True


def probe(io: ModelIO, num_classes: Optional[int] = None) -> ModelSpec:
    """Returns a temporary spec for a model whose labels are not known, only its shapes and perhaps `num_classes`."""
    return ModelSpec("", io.input_wh, ("",) * (num_classes or 0))


def misfit(seen: Sequence[Shape], spec: ModelSpec, expected: str) -> SpecError:
    """Returns the error for outputs that do not fit a family; `expected` is the SUMMARY of the family."""
    listed = ", ".join(str(["B", *shape]).replace("'", "") for shape in seen)
    return SpecError(
        f"outputs {listed} at input {spec.input_wh[0]}x{spec.input_wh[1]} do not fit: expected {expected}",
        hint="check --family and --imgsz, and that --labels has as many names as the model has classes",
    )


def agree(found: int, spec: ModelSpec) -> int:
    """Returns the number of classes in the outputs. Raises ClassMismatch if the number of labels is different."""
    if spec.labels and found != len(spec.labels):
        raise ClassMismatch(found, len(spec.labels))
    return found


def named(columns: int, spec: ModelSpec) -> int:
    """Returns the number of classes among so many columns. With `extra` it is that of the labels, else all of them.

    Raises:
        ClassMismatch: there are more labels than columns, or without `extra` another number.
    """
    if "extra" not in spec.head_layout:
        return agree(columns, spec)
    if not 0 < len(spec.labels) < columns:
        raise ClassMismatch(columns, len(spec.labels))
    return len(spec.labels)


def grid(input_wh: Tuple[int, int], stride: int) -> Tuple[int, int]:
    """Returns the number of cells in x and y, rounded up, as strided convolutions do."""
    return -(-input_wh[0] // stride), -(-input_wh[1] // stride)


def pyramid(count: int, spec: ModelSpec) -> Tuple[int, ...]:
    """Returns the strides of neighbouring levels, finest first, that together have `count` cells; empty if none fit."""
    runs = [STRIDES[first:end] for first in range(3) for end in range(first + 2, len(STRIDES) + 1)]
    for strides in [spec.strides] if spec.strides else runs:
        sides = [grid(spec.input_wh, stride) for stride in strides]
        if count > 0 and sum(w * h for w, h in sides) == count:
            return strides
    return ()


def maps(seen: Sequence[Shape], spec: ModelSpec) -> List[Map]:
    """Returns every output as a `Map`, finest stride first; empty if one of them fits no grid."""
    found = [_map(tensor, shape, spec) for tensor, shape in enumerate(seen)]
    return sorted((m for m in found if m), key=lambda m: m.stride) if all(found) and min(spec.input_wh) > 0 else []


def _map(tensor: int, shape: Shape, spec: ModelSpec) -> Optional[Map]:
    for stride in spec.strides or STRIDES:
        w, h = grid(spec.input_wh, stride)
        if len(shape) == 4 and shape[1:3] == (h, w):
            return Map(tensor, stride, (w, h), shape[0] * shape[3], "anchors")
        if len(shape) == 3 and shape[1:] == (h, w):
            return Map(tensor, stride, (w, h), shape[0], "planar")
        if (len(shape) == 3 and shape[:2] == (h, w)) or (len(shape) == 2 and shape[0] == h * w):
            return Map(tensor, stride, (w, h), shape[-1], "last")
    return None


def stacked(seen: Sequence[Shape], spec: ModelSpec) -> List[Map]:
    """Returns the levels of one output [N, K] that has a row for each cell of all levels; empty if it does not fit."""
    found: List[Map] = []
    start = 0
    for stride in pyramid(seen[0][0], spec) if len(seen) == 1 and len(seen[0]) == 2 else ():
        found.append(Map(0, stride, grid(spec.input_wh, stride), seen[0][1], "last", start))
        start += found[-1].cells
    return found


def one_per_level(found: Sequence[Map]) -> bool:
    """Whether there is one map per stride, and all have the same number of channels and the same layout."""
    alike = {(m.channels, m.layout) for m in found}
    return len(alike) == 1 and len({m.stride for m in found}) == len(found)


def pair_per_level(found: Sequence[Map], usual: int, named: int) -> List[Tuple[Map, Map]]:
    """Returns (box map, class map) per stride, finest first; empty if the maps are not such pairs.

    Args:
        usual: channels of the box maps in the usual export.
        named: channels of the class maps if the number of classes is known, else 0.
    """
    sizes: Set[int] = {m.channels for m in found}
    of_box = next((s for s in sizes if sizes - {s} == {named}), usual)
    boxes, scores = ([m for m in found if (m.channels == of_box) is wanted] for wanted in (True, False))
    strides = [m.stride for m in boxes]
    paired = len(sizes) == 2 and len(set(strides)) == len(strides) and strides == [m.stride for m in scores]
    return list(zip(boxes, scores)) if paired else []


def sigmoid(x: Floats) -> Floats:
    """Returns 1 / (1 + exp(-x)), computed so that it cannot overflow; any shape."""
    small = np.exp(-np.abs(x))
    y: Floats = np.where(x >= 0, np.float32(1), small) / (1 + small)
    return y


def softmax(x: Floats) -> Floats:
    """Returns the softmax over the last axis; any shape."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Floats = e / e.sum(axis=-1, keepdims=True)
    return y


def corners(centre: Floats, size: Floats) -> Floats:
    """Turns (..., 2) centres and sizes into (N, 4) `[x1, y1, x2, y2]`."""
    half = size * np.float32(0.5)
    boxes: Floats = np.concatenate([centre - half, centre + half], axis=-1).reshape(-1, 4)
    return boxes


def per_corner(spec: ModelSpec) -> Floats:
    """Returns (4,) model pixels per unit of the corners that a network decoded itself."""
    return np.array(spec.box_scale * 2, np.float32)


def expected_distance(logits: Floats, bins: int) -> Floats:
    """Returns the mean of each side's distribution over 0..bins-1, (N, 4); with bins = 1 the value itself.

    The logits are (N, 4 * bins), all bins of one side together. Generalized Focal Loss, Li et al. 2020, section 3.2
    (called DFL in exports by Ultralytics).
    """
    if bins == 1:
        return logits
    mean: Floats = (softmax(logits.reshape(-1, 4, bins)) * np.arange(bins, dtype=np.float32)).sum(axis=-1)
    return mean


def around(centre: Floats, distance: Floats) -> Floats:
    """Turns (N, 2) centres and (N, 4) distances (left, top, right, bottom) into (N, 4) corners."""
    return np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], axis=1)
