"""What the heads of face detectors share: names, landmarks, rows of each level, boxes beside priors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _priors
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelSpec, Shape

FACE = ("face",)
LANDMARKS = "the landmarks of the faces are not read, only their boxes and scores"
POINTS = 10  # values of five landmarks, x and y
VARIANCE = (0.1, 0.2)
NEAR = 0.1  # of the picture: so near to its prior is the middle of most boxes, also of those that hold nothing


def by_level(
    seen: Sequence[Shape], spec: ModelSpec, strides: Sequence[int], per_cell: int
) -> Optional[List[List[views.Map]]]:
    """Returns the outputs of each level, finest first, those of few channels first; None if one fits no level.

    An output is [n * per_cell, K], by cell, then by anchor; or a map [per_cell * K, h, w], by anchor, then by channel.
    Both become maps of per_cell * K channels.
    """
    levels: Dict[int, List[views.Map]] = {stride: [] for stride in strides}
    for tensor, shape in enumerate(seen):
        found = _placed(tensor, shape, spec, strides, per_cell)
        if found is None:
            return None
        levels[found.stride].append(found)
    return [sorted(level, key=lambda m: m.channels) for level in levels.values()]


def _placed(tensor: int, shape: Shape, spec: ModelSpec, strides: Sequence[int], per_cell: int) -> Optional[views.Map]:
    for stride in strides:
        w, h = views.grid(spec.input_wh, stride)
        if len(shape) == 2 and shape[0] == w * h * per_cell > 0:
            return views.Map(tensor, stride, (w, h), shape[1] * per_cell, "last")
        if len(shape) == 3 and shape[1:] == (h, w) and shape[0] % per_cell == 0:
            return views.Map(tensor, stride, (w, h), shape[0], "planar")
    return None


@dataclass(frozen=True)
class Deltas:
    """Boxes relative to priors in one output, scores that start with a background class in another.

    Attributes:
        boxes, scores: numbers of the outputs.
        columns: values of a score.
        priors: (n, 4) float32 `[cx, cy, w, h]` in model pixels.
    """

    boxes: int
    scores: int
    columns: int
    priors: Floats

    def described(self, spec: ModelSpec) -> DecodeSpec:
        """Returns how the native decoder reads them."""
        box, score = View(self.boxes, 0, 0, 4, 1), View(self.scores, 0, 0, self.columns, 1)
        return DecodeSpec(
            "prior",
            (Level((len(self.priors), 1), box, score),),
            self.columns - 1,
            class_activation="softmax" if "softmax" in spec.head_layout else "none",
            first_class=1,
            priors=self.priors,
            variance=VARIANCE,
        )

    def decoded(self, outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
        """Returns boxes (n, 4) in model pixels and scores (n, classes)."""
        scores = outputs[self.scores].reshape(-1, self.columns)
        scores = views.softmax(scores) if "softmax" in spec.head_layout else scores
        return _priors.decode(outputs[self.boxes].reshape(-1, 4), self.priors, VARIANCE), scores[:, 1:]

    def odd(self, outputs: Sequence[Floats], spec: ModelSpec) -> str:
        """Returns what speaks against it in the values of one run: the boxes may be finished already."""
        done = near_priors(outputs[self.boxes].reshape(-1, 4), self.priors, spec)
        return "its boxes would be decoded a second time" if done else ""


def near_priors(fractions: Floats, priors: Floats, spec: ModelSpec) -> bool:
    """Whether (n, 4) values, taken as corners or as centre and size in 0..1, lie where the (n, 4) priors lie."""
    middle = priors[:, :2] / np.array(spec.input_wh, np.float32)
    for centre in ((fractions[:, :2] + fractions[:, 2:]) / 2, fractions[:, :2]):
        if np.median(np.abs(centre - middle).max(axis=1)) < NEAR:
            return True
    return False


def flat(seen: Sequence[Shape]) -> Dict[int, int]:
    """Returns columns -> number of the output, for outputs [N, K] of one N and different K; empty for others."""
    alike = {shape[0] for shape in seen if len(shape) == 2}
    found = {shape[1]: tensor for tensor, shape in enumerate(seen) if len(shape) == 2}
    return found if len(alike) == 1 and len(found) == len(seen) else {}


def stepped(sizes: Sequence[Sequence[float]], strides: Sequence[int], spec: ModelSpec) -> Floats:
    """Returns square priors, (n, 4) `[cx, cy, w, h]` in model pixels: by level, by cell, by size. Sides are in pixels.

    A cell is one stride wide, also where the last one reaches beyond the input.
    """
    levels = []
    for level, stride in zip(sizes, strides):
        w, h = views.grid(spec.input_wh, stride)
        levels.append(_priors.tile([[(side, side) for side in level]], [(w, h)], (w * stride, h * stride)))
    priors: Floats = np.concatenate(levels)
    return priors


def count(sizes: Sequence[Sequence[float]], strides: Sequence[int], spec: ModelSpec) -> int:
    """Returns the number of such priors."""
    sides = [views.grid(spec.input_wh, stride) for stride in strides]
    return sum(w * h * len(level) for (w, h), level in zip(sides, sizes))
