"""Makes a network that fails smaller: it ends at the first tensor where it fails in the same way."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Iterator, List, Set

import onnx
from onnx import helper

from fuzzing.graphs import draw, evaluate


def shrunk(drawn: draw.Drawn, fails: Callable[[draw.Drawn], bool]) -> draw.Drawn:
    """The shortest beginning that fails; the network itself if none does."""
    for shorter in _beginnings(drawn):
        if fails(shorter):
            return shorter
    return drawn


def _beginnings(drawn: draw.Drawn) -> Iterator[draw.Drawn]:
    """The networks that have one tensor as their only output, in the order of the nodes, without unneeded nodes."""
    for name in (name for node in drawn.model.graph.node for name in node.output if name):
        model = onnx.ModelProto()
        model.CopyFrom(drawn.model)
        graph = model.graph
        nodes = _needed(graph, name)
        used = {read for node in nodes for read in evaluate.outer_names(node)}
        outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)]
        for field, kept in (
            (graph.node, nodes), (graph.output, outputs), (graph.value_info, []),
            (graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used]),
            (graph.input, [value for value in graph.input if value.name in used or value.name == draw.INPUT]),
        ):  # fmt: skip
            copies = [type(item).FromString(item.SerializeToString()) for item in kept]
            del field[:]
            field.extend(copies)
        others = {other: value for other, value in drawn.others.items() if other in used}
        shorter = replace(drawn, model=model, others=others)
        if draw.INPUT in used and _runs(shorter):
            yield shorter


def _needed(graph: onnx.GraphProto, name: str) -> List[onnx.NodeProto]:
    wanted: Set[str] = {name}
    found = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            found.append(node)
            wanted.update(evaluate.outer_names(node))
    return found[::-1]


def _runs(drawn: draw.Drawn) -> bool:
    """Whether the beginning is a network of its own: its output is an activation. Its shape becomes known here."""
    try:
        found = evaluate.whole(drawn.model, drawn.feeds[:1], drawn.others)[0]
        ((name, value),) = found.items()
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        drawn.model.graph.output[0].CopyFrom(helper.make_tensor_value_info(name, kind, [None] * value.ndim))
        onnx.checker.check_model(drawn.model, full_check=True)
    except Exception:  # types that onnx and ONNX Runtime do not publish
        return False
    return value.dtype.kind == "f"
