"""Describes as plain data how the output tensors of a head become boxes. It is the same on host and device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError


@dataclass(frozen=True)
class View:
    """Where one quantity lies in a head tensor. Strides count elements within one image of the batch.

    Channel `c` of anchor `a` at grid cell `i = y * grid_width + x` is element
    `offset + a * anchor + i * cell + c * channel` of output number `tensor`.
    """

    tensor: int
    offset: int
    anchor: int
    cell: int
    channel: int


@dataclass(frozen=True)
class Level:
    """One grid of candidates.

    Attributes:
        grid_wh: cells in x and y; a flat list of N candidates is (N, 1).
        box: view of the box, 4 channels (4 * bins for "distance").
        score: view of the scores, one channel per class.
        objectness: view of the objectness, one channel; None if there is none.
        stride: (x, y) model pixels per cell.
        anchors: (width, height) of each anchor in model pixels; a level without anchors has one, (1, 1).
        prior: index of this level's first row in `DecodeSpec.priors`. The rows are sorted by cell, then by anchor.
        scale_xy: Darknet's `scale_x_y`; 2.0 gives YOLOv5's `2 * sigmoid - 0.5`.
        class_id: view of the class number, one channel, if the candidates are finished: each has one class, and its
            score is the only channel of `score`. Else None.
        count: view of the number of cells that hold a candidate, the first ones; None if all do.
    """

    grid_wh: Tuple[int, int]
    box: View
    score: View
    objectness: Optional[View] = None
    stride: Tuple[float, float] = (1.0, 1.0)
    anchors: Tuple[Tuple[float, float], ...] = ((1.0, 1.0),)
    prior: int = 0
    scale_xy: float = 1.0
    class_id: Optional[View] = None
    count: Optional[View] = None

    def renumbered(self, numbers: Sequence[int]) -> Level:
        """Returns the same with output k as number `numbers[k]` of the model's outputs."""
        views = {name: getattr(self, name) for name in VIEWS if getattr(self, name) is not None}
        return replace(self, **{name: replace(v, tensor=numbers[v.tensor]) for name, v in views.items()})


VIEWS = ("box", "score", "objectness", "class_id", "count")


BOX_KINDS = (
    "cxcywh", "xyxy", "yxyx", "anchor_exp", "anchor_square", "anchor_tanh", "distance", "prior", "prior_yx",
    "prior_offset",
)  # fmt: skip
ACTIVATIONS = ("none", "sigmoid", "softmax")


@dataclass(frozen=True, eq=False)
class DecodeSpec:
    """Everything the native decoder needs to turn head tensors into boxes: plain data, the same on host and device.

    The box channels are t0..t3, the cell is (cx, cy), its stride (sx, sy), the anchor (aw, ah), and act() is the box
    activation. Then the box of a candidate in model pixels is

        cxcywh         centre (t0, t1) * box_scale, size (t2, t3) * box_scale
        xyxy, yxyx     corners t * box_scale, in that order
        anchor_*       centre ((k * act(t0) - (k - 1) / 2 + cx) * sx, likewise y) with k = level.scale_xy; size
                       anchor * exp(t2) or anchor * (2 * act(t2))^2 for exp and square
        anchor_tanh    centre ((tanh(t0) + cx) * sx, likewise y), size anchor * sigmoid(t2) (FastestDet)
        distance       centre ((cx + cell_offset) * sx, ...), minus and plus the distances left, top, right, bottom * s;
                       each is t itself (bins = 1) or the mean of `softmax` over `bins` channels, side-major (DFL)
        prior          with (px, py, pw, ph) the prior: centre t0 * variance[0] * pw + px, size pw * exp(t2 *
                       variance[1]), exponents clamped to at most `max_exponent`; prior_yx reads ty, tx, th, tw
        prior_offset   centre (t0, t1) * box_scale + (px, py), size (t2, t3) * box_scale (BlazeFace)

    Its score for class c is `act(class)`, times `act(objectness)` if there is an objectness: class^(class_power) *
    objectness^(objectness_power). Class tensors may start with background classes (`first_class`) and end with others
    (`last_classes`). They take part in the softmax and are never reported. The class numbers of finished candidates
    start at `first_class`.

    Attributes:
        kind: one of BOX_KINDS.
        levels: the grids. If scores are equal, the order of candidates is level, anchor, cell, class.
        num_classes: number of classes reported, without the background.
        box_activation: "none" or "sigmoid", for t0, t1 (and t2, t3 of anchor_square).
        class_activation: one of ACTIVATIONS.
        objectness_activation: "none" or "sigmoid".
        priors: (P, 4) float32 `[cx, cy, w, h]` in model pixels, for the prior kinds.
        nms: False for end-to-end models, whose boxes are already suppressed.
    """

    kind: str
    levels: Tuple[Level, ...]
    num_classes: int
    box_activation: str = "none"
    class_activation: str = "none"
    objectness_activation: str = "none"
    first_class: int = 0
    last_classes: int = 0
    bins: int = 1
    cell_offset: float = 0.5
    box_scale: Tuple[float, float] = (1.0, 1.0)
    class_power: float = 1.0
    objectness_power: float = 1.0
    priors: Optional[NDArray[np.float32]] = None
    variance: Tuple[float, float] = (1.0, 1.0)
    max_exponent: float = float("inf")
    nms: bool = True

    @property
    def finished(self) -> bool:
        """Whether each candidate has one class: the outputs are a list of objects."""
        return self.levels[0].class_id is not None

    def renumbered(self, numbers: Sequence[int]) -> DecodeSpec:
        """Returns the same with output k as number `numbers[k]` of the model's outputs."""
        return replace(self, levels=tuple(level.renumbered(numbers) for level in self.levels))

    def __post_init__(self) -> None:
        if self.kind not in BOX_KINDS:
            raise SpecError(f"box kind is {self.kind!r}", hint=f"expected one of: {', '.join(BOX_KINDS)}")
        for name in ("box_activation", "class_activation", "objectness_activation"):
            if getattr(self, name) not in ACTIVATIONS:
                raise SpecError(f"{name} is {getattr(self, name)!r}", hint=f"expected one of: {', '.join(ACTIVATIONS)}")
        if self.num_classes < 1 or not self.levels:
            raise SpecError("a decode description needs a level and a class", hint="check the head's describe()")
        if self.kind.startswith("prior") and self.priors is None:
            raise SpecError("a prior box kind needs priors", hint="check the head's describe()")
