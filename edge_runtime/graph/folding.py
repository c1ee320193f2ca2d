"""Computes what does not depend on the picture: weights behind Identity, Cast, arithmetic or DequantizeLinear.

onnx's own reference evaluator computes each node, because it is there wherever onnx is. A Jetson that builds plans has
no ONNX Runtime, and the optimiser of ONNX Runtime would also fuse and rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import DOMAINS, Network
from edge_runtime.graph.steps import dequantised, quantised
from edge_runtime.graph.subgraphs import inner_graphs

if TYPE_CHECKING:
    import onnx

NEVER = ("Bernoulli", "Constant", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
         "RandomUniformLike")  # fmt: skip
STEPS = {"DequantizeLinear": dequantised, "QuantizeLinear": quantised}  # the evaluator knows only new forms of them
UNCOMMON = ("block_size", "output_dtype")
SLOW = ("Conv", "ConvTranspose", "GRU", "LSTM", "NonMaxSuppression", "RNN")  # minutes in plain Python
SMALL = 1 << 20  # bytes that a result may always have
GROWTH = 8  # how many times as large as its inputs a result may be; 4-bit weights grow so much


def fold_constants(network: Network) -> int:
    """Replaces every node that reads only constants by its result, and returns how many were replaced.

    A result much larger than what it is computed from stays a node, so that the file does not grow.
    """
    kept: List[onnx.NodeProto] = []
    given = sum(value.nbytes for value in network.constants.values())
    room = SMALL * 16 + GROWTH * given
    for node in network.nodes:
        found = _results(network, node) if _foldable(network, node) else None
        size = sum(value.nbytes for value in found.values()) if found else 0
        if found is None or size > room:
            kept.append(node)
            continue
        room -= size
        for name, value in found.items():
            network.set_constant(name, value)
    folded = len(network.nodes) - len(kept)
    if folded:
        network.replace_nodes(kept)
    return folded


def _foldable(network: Network, node: onnx.NodeProto) -> bool:
    read = [name for name in node.input if name]
    known = bool(read) and all(name in network.constants for name in read)
    plain = node.domain in DOMAINS and node.op_type not in NEVER + SLOW and not inner_graphs(node)
    texts = any(network.constants[name].dtype.kind in "OSU" for name in read) if known else True
    return known and plain and not texts and not set(network.outputs).intersection(node.output)


def _results(network: Network, node: onnx.NodeProto) -> Optional[Dict[str, NDArray[np.generic]]]:
    """Returns the node's outputs by name; None if they are too large, or cannot be computed here."""
    given = {name: network.constants[name] for name in node.input if name}
    most = max(SMALL, GROWTH * sum(value.nbytes for value in given.values()))
    try:
        if 4 * _size_asked(network, node) > most:
            return None
        values = [np.asarray(value) for value in _evaluated(network, node, given)]
    except Exception:  # an operator or type that the evaluator of this version of onnx does not know
        return None
    usual = all(value.dtype.kind in "fiub" for value in values)
    fits = sum(value.nbytes for value in values) <= most
    return dict(zip(filter(None, node.output), values)) if usual and fits else None


def _size_asked(network: Network, node: onnx.NodeProto) -> float:
    """Returns about how many values a node makes that can make any number, so that it is not computed first."""
    values = [network.constants[name].astype(np.float64) for name in node.input if name]
    if node.op_type == "ConstantOfShape":
        return float(np.prod(values[0]))
    if node.op_type == "Range" and len(values) == 3:
        first, last, step = (float(value.reshape(-1)[0]) for value in values)
        return abs(last - first) / max(abs(step), 1e-9)
    if node.op_type == "Expand":
        return float(np.prod(np.maximum(values[1], 1)))
    if node.op_type == "Tile":
        return float(values[0].size * np.prod(values[1]))
    return 0


def _evaluated(network: Network, node: onnx.NodeProto, given: Dict[str, Any]) -> List[Any]:
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    if node.op_type == "ConstantOfShape":  # the evaluator of old versions of onnx wants its attribute
        fill = next((numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), np.zeros(1, np.float32))
        return [np.full(given[node.input[0]].tolist(), fill.reshape(-1)[0], fill.dtype)]
    if node.op_type in STEPS and not any(a.name in UNCOMMON and a.i for a in node.attribute):
        value, scale, zero = (*(given[name] for name in node.input if name), None)[:3]
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        return [STEPS[node.op_type](value, scale, zero, axis)]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in given.items()
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output if name]
    graph = helper.make_graph([node], "one", inputs, outputs)
    model = helper.make_model(graph, opset_imports=network.model.opset_import, ir_version=network.model.ir_version)
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(model).run(None, given))
