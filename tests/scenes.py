"""Random head tensors with their description, run through the native decoder and through its numpy twin."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import ops
from edge_runtime.spec import DecodeSpec, Level, Thresholds, View
from tests.twins.decode import decode

Floats = NDArray[np.float32]
LAYOUTS = ("planar", "rows", "anchors_inner", "separate")
PLAIN_FRAME = (1.0, 1.0, 0, 0, 64, 48)
LETTERBOX_FRAME = (0.5, 0.75, 3, -2, 100, 50)


def run(
    spec: DecodeSpec,
    tensors: Sequence[Floats],
    limits: Thresholds,
    frame: Sequence[float] = PLAIN_FRAME,
    mask: Optional[Sequence[int]] = None,
    decoder: Optional[ops.Decoder] = None,
) -> List[Floats]:
    """Rows of each image, native."""
    batch = len(tensors[0])
    boxes, counts = np.full((batch, limits.max_det, 6), np.nan, np.float32), np.full(batch, -1, np.int32)
    decoder = decoder or ops.Decoder(spec, [tensor.shape for tensor in tensors])
    decoder(tensors, np.array([frame] * batch, np.float64), limits, as_mask(spec, mask), boxes, counts)
    return [boxes[image, : counts[image]] for image in range(batch)]


def twin(
    spec: DecodeSpec,
    tensors: Sequence[Floats],
    limits: Thresholds,
    frame: Sequence[float] = PLAIN_FRAME,
    mask: Optional[Sequence[int]] = None,
) -> List[Floats]:
    """Rows of each image, numpy."""
    images = [[tensor[image] for tensor in tensors] for image in range(len(tensors[0]))]
    return [decode(spec, image, frame, limits, as_mask(spec, mask)) for image in images]


def as_mask(spec: DecodeSpec, mask: Optional[Sequence[int]]) -> NDArray[np.uint8]:
    return np.ones(spec.num_classes, np.uint8) if mask is None else np.array(mask, np.uint8)


def assert_same(got: List[Floats], want: List[Floats]) -> None:
    """The same rows, best first; neighbours whose scores differ by rounding only may have changed places."""
    assert [len(rows) for rows in got] == [len(rows) for rows in want]
    for got_rows, want_rows in zip(got, want):
        assert np.all(np.diff(got_rows[:, 4]) <= 0)
        free = np.ones(len(got_rows), bool)
        for row in want_rows:
            first, last = np.searchsorted(-got_rows[:, 4], [-row[4] - 1e-5, -row[4] + 1e-5])
            close = np.abs(got_rows[first:last] - row) <= [1e-3, 1e-3, 1e-3, 1e-3, 1e-5, 0]
            same = np.flatnonzero(close.all(axis=1) & free[first:last])
            assert len(same), f"{row} is missing"
            free[first + same[0]] = False


def scene(
    kind: str,
    layout: str = "planar",
    activation: str = "sigmoid",
    objectness: Optional[str] = None,
    *,
    seed: int = 0,
    classes: int = 19,
    first_class: int = 0,
    bins: int = 1,
    num_anchors: int = 2,
    grids: Sequence[Tuple[int, int]] = ((7, 5), (4, 3)),
    batch: int = 2,
    ties: bool = False,
    **more: Any,
) -> Tuple[DecodeSpec, List[Floats]]:
    """A random description of that kind and tensors that suit it; `ties` makes many class values equal."""
    rng = np.random.default_rng(seed)
    tensors: List[Floats] = []
    levels, prior = [], 0
    anchors = tuple((float(w), float(h)) for w, h in rng.uniform(4, 30, (num_anchors, 2)))
    for grid_w, grid_h in grids:
        shape = (batch, num_anchors, grid_w * grid_h)
        parts = {
            "box": box_values(kind, rng, shape, bins),
            "score": class_values(activation, rng, (*shape, first_class + classes)),
        }
        if ties:
            parts["score"] = np.round(parts["score"] * 6) / 6
        if objectness is not None:
            parts["objectness"] = class_values(objectness, rng, (*shape, 1))
        views = lay_out(layout, parts, tensors)
        stride = (64 / grid_w, 48 / grid_h)
        scale_xy = float(rng.choice([1.0, 1.1, 2.0]))
        levels.append(Level((grid_w, grid_h), **views, stride=stride, anchors=anchors, prior=prior, scale_xy=scale_xy))
        prior += num_anchors * grid_w * grid_h
    if kind.startswith("prior"):
        more = {"priors": rng.uniform(5, 40, (prior, 4)).astype(np.float32), "variance": (0.1, 0.2), **more}
    spec = DecodeSpec(
        kind, tuple(levels), classes, class_activation=activation, objectness_activation=objectness or "none",
        first_class=first_class, bins=bins, **more,
    )  # fmt: skip
    return spec, tensors


def box_values(kind: str, rng: np.random.Generator, shape: Tuple[int, ...], bins: int) -> Floats:
    if kind in ("cxcywh", "xyxy", "yxyx"):
        values = rng.uniform(0, 48, (*shape, 4))
    elif kind == "distance" and bins == 1:
        values = rng.uniform(0, 3, (*shape, 4))
    else:
        values = rng.normal(0, 1.5, (*shape, 4 * (bins if kind == "distance" else 1)))
    return values.astype(np.float32)


def class_values(activation: str, rng: np.random.Generator, shape: Tuple[int, ...]) -> Floats:
    values = rng.uniform(0, 1, shape) if activation == "none" else rng.normal(0, 2.5, shape)
    return values.astype(np.float32)


def lay_out(layout: str, parts: Dict[str, Floats], tensors: List[Floats]) -> Dict[str, View]:
    """Adds tensors that hold the parts (B, anchors, cells, channels); where each begins and its strides."""
    if layout == "separate":
        return {
            name: lay_out(("rows", "planar", "anchors_inner")[i], {name: part}, tensors)[name]
            for i, (name, part) in enumerate(parts.items())
        }
    merged = np.concatenate(list(parts.values()), axis=-1)
    _, anchors, cells, channels = merged.shape
    axes, anchor, cell, channel = {
        "planar": ((0, 1, 3, 2), channels * cells, 1, cells),
        "rows": ((0, 2, 1, 3), channels, anchors * channels, 1),
        "anchors_inner": ((0, 3, 2, 1), 1, anchors, cells * anchors),
    }[layout]
    tensors.append(np.ascontiguousarray(merged.transpose(axes)))
    starts = np.cumsum([0] + [part.shape[-1] for part in parts.values()])
    return {
        name: View(len(tensors) - 1, int(start) * channel, anchor, cell, channel) for name, start in zip(parts, starts)
    }
