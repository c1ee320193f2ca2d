"""Pools over windows and over the whole map."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from fuzzing.graphs import constants
from fuzzing.graphs.builder import Builder, Unsuitable


def pool(b: Builder) -> None:
    """A MaxPool or AveragePool; with ceil_mode, dilations, count_include_pad, or indices that are used."""
    name, _ = b.map()
    side = b.chance.choice([2, 3, 5])
    given: Dict[str, Any] = {"kernel_shape": [side, side], "strides": [b.chance.choice([1, 2])] * 2}
    if b.chance.random() < 0.3:
        given["auto_pad"] = b.chance.choice(["SAME_UPPER", "SAME_LOWER"])
    elif b.chance.random() < 0.6:
        given["pads"] = [side // 2] * 4 if b.chance.random() < 0.7 else [side // 2, 0, 0, side // 2]
    if b.opset >= 10 and b.chance.random() < 0.3:
        given["ceil_mode"] = 1
    if b.chance.random() < 0.4:
        if b.opset < 19 and "ceil_mode" in given:
            del given["ceil_mode"]  # what the mean of the last window is was made clear in 19
        b.keep(b.add("AveragePool", [name], count_include_pad=b.chance.randrange(2), **given))
        return
    kind = b.chance.random()
    if kind < 0.6:
        b.keep(b.add("MaxPool", [name], **given))
        return
    made, indices = b.add("MaxPool", [name], outputs=2, **given)
    b.keep(made)
    if kind < 0.9:
        where = b.add("Cast", [indices], to=constants.FLOAT if b.kind == np.float32 else 10)
        b.keep(b.add("Mul", [where, constants.floats(b, 0.001)]))


def unpool(b: Builder) -> None:
    """A MaxPool whose indices put the values back by MaxUnpool."""
    name, x = b.map()
    if x.shape[2] % 2 or x.shape[3] % 2:
        raise Unsuitable("indices beyond the end")
    made, indices = b.add("MaxPool", [name], outputs=2, kernel_shape=[2, 2], strides=[2, 2])
    b.keep(b.add("MaxUnpool", [made, indices], kernel_shape=[2, 2], strides=[2, 2]))


def global_pool(b: Builder) -> None:
    """A mean or maximum over the map, in three spellings."""
    name, _ = b.map()
    kind = b.chance.choice(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMean", "ReduceMax"])
    if "Reduce" not in kind:
        b.keep(b.add(kind, [name]))
        return
    axes, keep = b.chance.choice([[2, 3], [-1, -2], [1], [3]]), b.chance.randrange(2)
    if b.opset >= 18:
        b.keep(b.add(kind, [name, constants.ints(b, axes)], keepdims=keep))
    else:
        b.keep(b.add(kind, [name], axes=axes, keepdims=keep))


LAYERS = {pool: 3, unpool: 0.4, global_pool: 1}
