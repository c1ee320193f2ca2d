"""Computes one node of an ONNX graph, by ONNX Runtime without any optimisation."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
import onnxruntime
from onnx import helper

Values = Dict[str, np.ndarray]
DOMAIN = ""


def outer_names(node: onnx.NodeProto) -> List[str]:
    """The names that a node reads: its inputs, and those that its subgraphs read from outside."""
    names = dict.fromkeys(name for name in node.input if name)
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            names.update(dict.fromkeys(_free(attribute.g)))
    return list(names)


def _free(graph: onnx.GraphProto) -> List[str]:
    made: Set[str] = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    free: Dict[str, None] = {}
    for node in graph.node:
        free.update(dict.fromkeys(name for name in outer_names(node) if name not in made))
        made.update(node.output)
    free.update(dict.fromkeys(value.name for value in graph.output if value.name not in made))
    return list(free)


def compute(node: onnx.NodeProto, values: Mapping[str, np.ndarray], opset: int) -> Values:
    """The node's outputs by name. Whatever ONNX Runtime raises goes to the caller."""
    read = outer_names(node)
    kinds = tuple(helper.np_dtype_to_tensor_dtype(values[name].dtype) for name in read)
    session = _session(node.SerializeToString(), tuple(read), kinds, opset)
    wanted = [name for name in node.output if name]
    return dict(zip(wanted, map(np.asarray, session.run(wanted, {name: values[name] for name in read}))))


@lru_cache(maxsize=512)
def _session(node: bytes, read: Tuple[str, ...], kinds: Tuple[int, ...], opset: int) -> Any:
    alone = onnx.NodeProto.FromString(node)
    given = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(read, kinds)]
    made = [onnx.ValueInfoProto(name=name) for name in alone.output if name]
    graph = helper.make_graph([alone], "alone", given, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(DOMAIN, opset)], ir_version=8)
    return session(model.SerializeToString())


def whole(
    model: onnx.ModelProto, feeds: Sequence[np.ndarray], others: Optional[Mapping[str, np.ndarray]] = None
) -> List[Values]:
    """The outputs of a whole network by name, for each picture, computed literally.

    Args:
        others: values of the inputs beside the picture.
    """
    unnamed = onnx.ModelProto()
    unnamed.CopyFrom(model)
    for node in unnamed.graph.node:
        node.name = ""  # ONNX Runtime wants each name once, ONNX does not
    opened = session(unnamed.SerializeToString())
    names, given = [value.name for value in model.graph.output], opened.get_inputs()[0].name
    return [dict(zip(names, opened.run(names, {given: feed, **(others or {})}))) for feed in feeds]


def session(model: bytes, optimised: bool = False) -> Any:
    """A session with one thread: literal, or as users run it."""
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
