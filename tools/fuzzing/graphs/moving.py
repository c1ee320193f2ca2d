"""Layers that move values: splits, concats, slices, pads, resizes, reshapes by shape arithmetic."""

from __future__ import annotations

from typing import List

import numpy as np

from fuzzing.graphs import constants
from fuzzing.graphs.builder import Builder, Unsuitable


def split(b: Builder) -> None:
    """A Split by attribute, input or num_outputs; sometimes one part is not used."""
    name, x = b.any()
    axis = b.chance.choice([1, 1, -1, x.ndim - 1])
    size = x.shape[axis]
    if size < 2:
        raise Unsuitable("one value")
    first = b.chance.randrange(1, size)
    if b.opset >= 18 and b.chance.random() < 0.4:
        parts = b.add("Split", [name], outputs=2, axis=axis, num_outputs=2)
    elif size % 2 == 0 and b.opset < 18 and b.chance.random() < 0.3:
        parts = b.add("Split", [name], outputs=2, axis=axis)
    elif b.opset >= 13:
        parts = b.add("Split", [name, constants.ints(b, [first, size - first])], outputs=2, axis=axis)
    else:
        parts = b.add("Split", [name], outputs=2, axis=axis, split=[first, size - first])
    for part in parts if b.chance.random() < 0.7 else parts[:1]:
        b.keep(part)


def concat(b: Builder) -> None:
    """A Concat of far ranges: one of the inputs is made larger; sometimes one is a constant, or twice the same."""
    name, x = b.any()
    axis = b.chance.choice([1, 1, x.ndim - 1, -1])
    place = axis % x.ndim
    others = [n for n in [*b.maps, *b.rows] if _fits(b.values[n], x, place) and n != name]
    parts = [name, *(b.chance.sample(others, min(len(others), b.chance.randint(1, 3))))]
    if len(parts) < 2:
        parts.append(b.add("Mul", [name, constants.floats(b, b.chance.choice([0.02, 10.0, -3.0]))]))
    if b.chance.random() < 0.1:
        parts.append(constants.floats(b, b.numbers.normal(0, 1, x.shape)))
    if b.chance.random() < 0.1:
        parts.append(name)
    b.keep(b.add("Concat", parts, axis=axis))


def _fits(value: np.ndarray, x: np.ndarray, place: int) -> bool:
    same = [a == c for k, (a, c) in enumerate(zip(value.shape, x.shape)) if k != place]
    return value.ndim == x.ndim and all(same)


def slice_(b: Builder) -> None:
    """A Slice, with steps, negative steps and ends beyond the end."""
    name, x = b.any()
    axis = b.chance.randrange(1, x.ndim)
    size = x.shape[axis]
    if size < 2:
        raise Unsuitable("one value")
    starts, ends, steps = [b.chance.choice([0, 1, -size // 2])], [b.chance.choice([size, 1 << 31, -1])], [1]
    if b.opset < 10:
        b.keep(b.add("Slice", [name], starts=starts, ends=ends, axes=[axis]))
        return
    if b.chance.random() < 0.4:
        starts, ends, steps = b.chance.choice([([0], [size], [2]), ([-1], [-(1 << 31)], [-1])])
    values = [starts, ends, [axis], steps][: 4 if steps != [1] else b.chance.choice([3, 4])]
    b.keep(b.add("Slice", [name, *(constants.ints(b, value) for value in values)]))


def pad(b: Builder) -> None:
    """A Pad of each mode; the value of a constant is also left out, or not zero."""
    name, _ = b.map()
    mode = b.chance.choice(["constant", "constant", "reflect", "edge"])
    pads = [0, 0, *(b.chance.randrange(3) for _ in range(2)), 0, 0, *(b.chance.randrange(3) for _ in range(2))]
    value = b.chance.choice([0.0, 0.0, 1.5, -2.0])
    if b.opset < 11:
        b.keep(b.add("Pad", [name], pads=pads, mode=mode, value=value))
        return
    inputs = [name, constants.ints(b, pads)]
    if mode == "constant" and b.chance.random() < 0.6:
        inputs.append(constants.floats(b, value))
    b.keep(b.add("Pad", inputs, mode=mode))


def resize(b: Builder) -> None:
    """A Resize or Upsample: scales, sizes, sizes that are computed from a Shape; nearest, linear, cubic."""
    name, x = b.map()
    factors = b.chance.choice([(2.0, 2.0), (2.0, 2.0), (1.5, 2.0), (0.5, 0.5)])
    scales = np.array([1.0, 1.0, *factors], np.float32)
    if b.opset < 10:
        b.keep(b.add("Upsample", [name, constants.exact(b, scales)], mode=b.chance.choice(["nearest", "linear"])))
        return
    if b.opset == 10:
        b.keep(b.add("Resize", [name, constants.exact(b, scales)], mode=b.chance.choice(["nearest", "linear"])))
        return
    given = b.chance.choice([
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"mode": "nearest"}, {"mode": "linear"}, {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        {"mode": "cubic", "cubic_coeff_a": -0.5},
    ])  # fmt: skip
    roi = constants.exact(b, np.zeros(0, np.float32)) if b.opset < 13 or b.chance.random() < 0.3 else ""
    if b.chance.random() < 0.4:
        b.keep(b.add("Resize", [name, roi, constants.exact(b, scales)], **given))
        return
    none = constants.exact(b, np.zeros(0, np.float32)) if b.opset < 13 else ""
    if b.chance.random() < 0.4:
        sizes = constants.ints(b, [*x.shape[:2], *(int(side * f) for side, f in zip(x.shape[2:], factors))])
    else:
        sizes = _twice(b, name)
    b.keep(b.add("Resize", [name, roi, none, sizes], **given))


def _twice(b: Builder, name: str) -> str:
    """Sizes of a map of twice the height and width, as torch writes interpolate(size=2 * x.shape[2:])."""
    shape = b.add("Shape", [name])
    sides = [_unsqueezed(b, b.add("Mul", [_gathered(b, shape, k), constants.ints(b, 2)])) for k in (2, 3)]
    if b.opset >= 10:
        bounds = [constants.ints(b, value) for value in ([0], [2])]
        front = b.add("Slice", [shape, *bounds])
    else:
        front = b.add("Slice", [shape], starts=[0], ends=[2])
    return str(b.add("Concat", [front, *sides], axis=0))


def _gathered(b: Builder, shape: str, place: int) -> str:
    return str(b.add("Gather", [shape, constants.ints(b, place)], axis=0))


def _side(b: Builder, name: str, shape: str, place: int) -> str:
    """One size of a tensor, a scalar."""
    if b.opset >= 15 and b.chance.random() < 0.2:
        return str(b.add("Squeeze", [b.add("Shape", [name], start=place, end=place + 1)]))
    return _gathered(b, shape, place)


def _unsqueezed(b: Builder, name: str) -> str:
    if b.opset >= 13:
        return str(b.add("Unsqueeze", [name, constants.ints(b, [0])]))
    return str(b.add("Unsqueeze", [name], axes=[0]))


def reshape(b: Builder) -> None:
    """A Reshape to what Shape, Gather, Mul, Div and Concat of int64 say."""
    name, x = b.map()
    shape = b.add("Shape", [name])
    count, channels, height, width = (_side(b, name, shape, k) for k in range(4))
    kind = b.chance.choice(["rows", "tokens", "shuffle", "halves"])
    if kind == "halves" and x.shape[1] % 2 == 0:
        half = b.add("Div", [channels, constants.ints(b, 2)])
        rest = b.add("Sub", [channels, half])
        area = b.add("Mul", [height, width])
        parts = [_unsqueezed(b, part) for part in (b.add("Mul", [count, constants.ints(b, 2)]), rest, area)]
        made = b.add("Reshape", [name, b.add("Concat", parts, axis=0)])
        b.keep(b.add("Reshape", [made, shape]))
        return
    if kind == "shuffle" and x.shape[1] % 2 == 0:
        groups = [_unsqueezed(b, count), constants.ints(b, [2, x.shape[1] // 2])]
        groups += [_unsqueezed(b, side) for side in (height, width)]
        apart = b.add("Reshape", [name, b.add("Concat", groups, axis=0)])
        b.keep(b.add("Reshape", [b.add("Transpose", [apart], perm=[0, 2, 1, 3, 4]), shape]))
        return
    parts = [_unsqueezed(b, count), _unsqueezed(b, channels), constants.ints(b, [-1])]
    made = b.add("Reshape", [name, b.add("Concat", parts, axis=0)])
    b.keep(b.add("Transpose", [made], perm=[0, 2, 1]) if kind == "tokens" else made)


def back_to_a_map(b: Builder) -> None:
    """Three dimensions become four, by Unsqueeze or Reshape."""
    found: List[str] = [name for name in b.rows if b.values[name].ndim == 3]
    if not found:
        raise Unsuitable("no rows of rows")
    if b.chance.random() < 0.5:
        b.keep(b.add("Reshape", [found[-1], constants.ints(b, [0, 0, -1, 1])]))
    elif b.opset >= 13:
        b.keep(b.add("Unsqueeze", [found[-1], constants.ints(b, [2])]))
    else:
        b.keep(b.add("Unsqueeze", [found[-1]], axes=[2]))


def transpose(b: Builder) -> None:
    """A Transpose of any order that leaves the batch in front."""
    name, x = b.any()
    rest = list(range(1, x.ndim))
    b.chance.shuffle(rest)
    b.keep(b.add("Transpose", [name], perm=[0, *rest]))


def other(b: Builder) -> None:
    """DepthToSpace, SpaceToDepth, Flatten, Expand, Tile, Gather of channels, TopK, InstanceNormalization, Dropout."""
    name, x = b.map()
    kind = b.chance.choice(["DepthToSpace", "SpaceToDepth", "Flatten", "Expand", "Tile", "Gather", "TopK",
                            "InstanceNormalization", "Dropout"])  # fmt: skip
    if kind in ("DepthToSpace", "SpaceToDepth"):
        b.keep(b.add(kind, [name], blocksize=2))
    elif kind == "Flatten":
        b.rows.append(b.add(kind, [name], axis=1))
    elif kind == "Expand":
        b.keep(b.add(kind, [b.add("GlobalAveragePool", [name]), b.add("Shape", [name])]))
    elif kind == "Tile":
        b.keep(b.add(kind, [name, constants.ints(b, [1, 2, 1, 1])]))
    elif kind == "TopK" and b.opset >= 10:
        b.keep(b.add(kind, [name, constants.ints(b, [max(1, x.shape[-1] // 2)])], outputs=2, axis=-1)[0])
    elif kind == "InstanceNormalization":
        b.keep(b.add(kind, [name, *(constants.floats(b, b.numbers.uniform(0.5, 1, x.shape[1])) for _ in range(2))]))
    elif kind == "Gather":
        b.keep(b.add(kind, [name, constants.ints(b, b.numbers.permutation(x.shape[1]))], axis=1))
    else:
        b.keep(b.add("Dropout", [name]))


LAYERS = {
    split: 2, concat: 3, slice_: 2, pad: 1.5, resize: 2.5, reshape: 2,
    back_to_a_map: 1, transpose: 1, other: 2,
}  # fmt: skip
