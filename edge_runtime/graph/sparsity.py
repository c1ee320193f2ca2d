"""2:4 sparsity: of each four neighbours along the input channels two or more are 0, as NVIDIA's sparse kernels need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

THROUGH = ("Cast", "DequantizeLinear", "Identity", "QuantizeLinear")  # a 0 stays a 0 where the zero point is 0


def fours(weight: NDArray[Any]) -> NDArray[Any]:
    """(groups, 4) neighbours along the input channels.

    Args:
        weight: (filters, inputs, ...). Inputs behind the last whole group are left out.
    """
    rows = np.moveaxis(weight, 1, -1)
    return rows[..., : rows.shape[-1] // 4 * 4].reshape(-1, 4)


def layers(model: onnx.ModelProto) -> List[str]:
    """First outputs of the convolutions whose stored weights have the pattern throughout, and are not all 0."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    before = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type in THROUGH}
    weights = {node.output[0]: _source(node.input[1], before) for node in model.graph.node if node.op_type == "Conv"}
    return [name for name, read in weights.items() if read in stored and _thin(numpy_helper.to_array(stored[read]))]


def _thin(weight: NDArray[Any]) -> bool:
    kept = np.count_nonzero(fours(weight), axis=1)
    return bool(len(kept) and 0 < kept.max() <= 2)


def _source(name: str, before: Dict[str, str]) -> str:
    """The name before operators that leave zeros zeros."""
    while name in before:
        name = before[name]
    return name
