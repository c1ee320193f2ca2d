"""Random head tensors with their description. The decoders of the host and of the GPU are compared on them."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model.decode import DecodeSpec, Level, View

Floats = NDArray[np.float32]


def scene(
    kind: str,
    layout: str = "planar",
    activation: str = "sigmoid",
    objectness: Optional[str] = None,
    *,
    seed: int = 0,
    classes: int = 19,
    first_class: int = 0,
    last_classes: int = 0,
    bins: int = 1,
    num_anchors: int = 2,
    grids: Sequence[Tuple[int, int]] = ((7, 5), (4, 3)),
    batch: int = 2,
    ties: bool = False,
    **more: Any,
) -> Tuple[DecodeSpec, List[Floats]]:
    """A random description of that kind, and tensors (batch, ...) that fit it. `ties`: many equal class values."""
    rng = np.random.default_rng(seed)
    tensors: List[Floats] = []
    levels, prior = [], 0
    anchors = tuple((float(w), float(h)) for w, h in rng.uniform(4, 30, (num_anchors, 2)))
    for grid_w, grid_h in grids:
        shape = (batch, num_anchors, grid_w * grid_h)
        parts = {
            "box": box_values(kind, rng, shape, bins),
            "score": class_values(activation, rng, (*shape, first_class + classes + last_classes)),
        }
        if ties:
            parts["score"] = (np.round(parts["score"] * 6) / 6).astype(np.float32)
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
        first_class=first_class, last_classes=last_classes, bins=bins, **more,
    )  # fmt: skip
    return spec, tensors


def box_values(kind: str, rng: np.random.Generator, shape: Tuple[int, ...], bins: int) -> Floats:
    """Random values (*shape, channels of a box), as a head of that kind gives them."""
    if kind in ("cxcywh", "xyxy", "yxyx", "prior_offset"):
        values = rng.uniform(0, 48, (*shape, 4))
    elif kind == "distance" and bins == 1:
        values = rng.uniform(0, 3, (*shape, 4))
    else:
        values = rng.normal(0, 1.5, (*shape, 4 * (bins if kind == "distance" else 1)))
    return values.astype(np.float32)


def class_values(activation: str, rng: np.random.Generator, shape: Tuple[int, ...]) -> Floats:
    """Random values of any shape, as a head with that activation gives them."""
    values = rng.uniform(0, 1, shape) if activation == "none" else rng.normal(0, 2.5, shape)
    return values.astype(np.float32)


def lay_out(layout: str, parts: Dict[str, Floats], tensors: List[Floats]) -> Dict[str, View]:
    """Adds tensors that hold the parts (B, anchors, cells, channels). Returns where each begins and its strides."""
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
