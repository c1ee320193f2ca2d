"""Layers that stay in float32 in a weakly typed network (TensorRT 8.x), where the builder would choose float16."""

from __future__ import annotations

import re
from typing import Any, Collection


def hold_float32(lib: Any, network: Any, config: Any, names: Collection[str]) -> int:
    """Asks the builder to compute the layers of these nodes in float32, and returns how many layers there are.

    If it has no float32 kernel for a layer, it takes another and warns.

    Args:
        names: names of ONNX nodes. The parser calls further layers of a node `NAME_1`, `NAME_2` and so on.
    """
    kinds, floats, found = lib.LayerType, lib.DataType.FLOAT, 0
    moving = (kinds.CONSTANT, kinds.CONCATENATION, kinds.SHAPE)  # the builder takes no precision for them
    for number in range(network.num_layers):
        layer = network.get_layer(number)
        outputs = [layer.get_output(place) for place in range(layer.num_outputs)]
        named = layer.name in names or re.sub(r"_\d+$", "", layer.name) in names
        if not named or layer.type in moving or any(tensor.dtype != floats for tensor in outputs):
            continue
        layer.precision = floats
        for place in range(layer.num_outputs):
            layer.set_output_type(place, floats)
        found += 1
    flags = lib.BuilderFlag
    if found and hasattr(flags, "PREFER_PRECISION_CONSTRAINTS"):
        config.set_flag(flags.PREFER_PRECISION_CONSTRAINTS)
    elif found:
        config.set_flag(flags.STRICT_TYPES)  # before 8.2
    return found
