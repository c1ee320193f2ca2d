"""Small networks, compacted and compared."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph.compact import compact
from edge_runtime.graph.compact.report import Report
from edge_runtime.graph.compact.run import Runner, difference

SHAPE = (1, 3, 10, 12)


def weights(*shape: int, dead: Sequence[int] = (), unread: Sequence[int] = (), seed: int = 0) -> np.ndarray:
    """Random weights (out, in, ...) float32 with filters of zeros, and input channels that no filter reads."""
    made = np.random.default_rng(seed + 10 * len(shape) + shape[0]).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    made[list(dead)] = 0
    made[:, list(unread)] = 0
    return made.astype(np.float32)


def bias(count: int, least: float = 0.2) -> np.ndarray:
    """Different positive numbers, (count,) float32: constants that no Relu removes."""
    return np.linspace(least, 1, count, dtype=np.float32)


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """A node; names are divided by spaces, "-" is an input that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, output.split(), **attributes)


def model(
    nodes: List[onnx.NodeProto], opset: int = 13, shape: Sequence[Any] = SHAPE, outputs: str = "y", **constants: Any
) -> onnx.ModelProto:
    """A model with the input `x` of this shape."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()]
    graph = helper.make_graph(nodes, "small", given, made, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def compacted(file: onnx.ModelProto, multiple: int = 1, **options: Any) -> Tuple[onnx.ModelProto, Report]:
    """The result and its report, compared once more on an input of our own. All that can go does, if not said."""
    made, report = compact(file, multiple=multiple, **options)
    sizes = [dim.dim_value or 2 for dim in made.graph.input[0].type.tensor_type.shape.dim]
    feed = {"x": np.random.default_rng(7).standard_normal(sizes).astype(np.float32)}
    assert difference(Runner(file).run(feed), Runner(made).run(feed)) <= 2e-6
    assert report.after.macs <= report.before.macs
    return made, report


def shapes(made: onnx.ModelProto) -> Dict[str, Tuple[int, ...]]:
    """The shape of the weight of each node that has one, by the node's output."""
    stored = {tensor.name: tuple(tensor.dims) for tensor in made.graph.initializer}
    kinds = ("Conv", "ConvTranspose", "Gemm", "MatMul")
    return {each.output[0]: stored[each.input[1]] for each in made.graph.node if each.op_type in kinds}
