"""The rounds of compaction: channels are followed through the network, and those that nobody needs are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.compact import joins, linear, planes, pointwise
from edge_runtime.graph.compact.flow import Bools, Flow, Link
from edge_runtime.graph.compact.needs import Needs, needs
from edge_runtime.graph.compact.pivots import Expressed
from edge_runtime.graph.compact.run import Runner, random_feeds
from edge_runtime.graph.kinds import FLOAT
from edge_runtime.graph.network import DOMAINS, Network
from edge_runtime.graph.subgraphs import inner_graphs

if TYPE_CHECKING:
    import onnx

RULES = {**linear.RULES, **pointwise.RULES, **joins.RULES, **planes.RULES}
Seen = Dict[str, NDArray[np.float32]]


def all_rounds(network: Network, multiple: int) -> int:
    """Removes channels in place until none is left to remove.

    Args:
        network: prepared, with an input whose sizes are all fixed.
        multiple: of the filters of a layer that loses some; 1 or more.

    Returns:
        how many filters stay for a width alone.
    """
    while True:
        flow, values = _read(network)
        found = needs(flow, values, multiple)
        if found.stays[found.roots].all():
            return _for_width(flow, found)
        _remove(flow, found)


def _remove(flow: Flow, found: Needs) -> None:
    """Removes the channels that do not stay from all nodes."""
    for link, expressed in zip(flow.links, found.expressed):
        _narrow(
            link, expressed, found.kept(flow.tensors[link.source].units), found.kept(flow.tensors[link.target].units)
        )
    for cut in flow.cuts:
        cut(found.kept)
    flow.network.replace_nodes(flow.network.nodes)


def _for_width(flow: Flow, found: Needs) -> int:
    weighted = (node.output[0] for node in flow.network.nodes if flow.network.weight(node) is not None)
    return sum(found.for_width(flow.tensors[name].units) for name in weighted if name in flow.tensors)


def _read(network: Network) -> Tuple[Flow, Seen]:
    """Follows the channels. What is 0 for every picture is known only after a run, and can make products fixed."""
    zeros: Dict[str, Bools] = {}
    shapes = network.shapes
    while True:
        flow = follow(Flow(network, shapes, zeros))
        values = _values(flow)
        found = {name: flow.tensors[name].fixed & _zero(value[0]) for name, value in values.items()}
        if all(np.array_equal(found[name], zeros.get(name, np.zeros_like(found[name]))) for name in found):
            return flow, values
        zeros = found


def follow(flow: Flow) -> Flow:
    """Applies the rule of each operator. Where there is none, or it does not fit, all channels stay."""
    for name in flow.network.inputs:
        flow.fresh(name)
        flow.keep(name)
    for node in flow.network.nodes:
        cut = RULES[node.op_type](flow, node) if _known(flow, node) else None
        if cut is None:
            flow.bar(node)
        else:
            flow.cuts.append(cut)
    for name in flow.network.outputs:
        flow.keep(name)
    return flow


def _known(flow: Flow, node: onnx.NodeProto) -> bool:
    """Whether there is a rule for an operator, and the shapes of what it makes are known."""
    if node.op_type not in RULES or node.domain not in DOMAINS or inner_graphs(node) or not any(node.input[:1]):
        return False
    shapes = [flow.shapes.get(name, ()) for name in node.output if name]
    sized = all(len(shape) > 1 and min(shape) > 0 for shape in shapes)
    return sized and flow.network.types.get(node.output[0], FLOAT) == FLOAT


def _values(flow: Flow) -> Seen:
    """One run: the tensors with fixed channels that a link or a product reads, (1, C, ...)."""
    products = [name for node in flow.network.nodes if node.op_type == "Mul" for name in node.input]
    read = dict.fromkeys([*(link.source for link in flow.links), *products])
    names = [name for name in read if name in flow.tensors and flow.tensors[name].fixed.any()]
    if not names:
        return {}
    feed = next(random_feeds(flow.network.model, 1))
    values = Runner(flow.network.model, names).run(feed)
    return {name: values[name] for name in names}


def _zero(value: NDArray[np.float32]) -> Bools:
    zero: Bools = np.asarray(~value.reshape(len(value), -1).any(axis=1))
    return zero


def _narrow(link: Link, expressed: Expressed, columns: Bools, rows: Bools) -> None:
    """Removes the output channels that are not in `rows`, (O,), and the input channels not in `columns`, (I,).

    What a fixed input channel adds is moved to those that stand for it, and into the bias.
    """
    if columns.all() and rows.all():
        return
    weight = link.weight[rows].astype(np.float64)
    bias = np.zeros(len(weight)) if link.bias is None else link.bias[rows].astype(np.float64)
    gone = ~columns[expressed.fixed]
    moved = weight[:, expressed.fixed[gone]]
    weight[:, expressed.pivots] += np.einsum("oik,ip->opk", moved, expressed.share[gone])
    shift = moved.sum(axis=2) @ expressed.shift[gone]
    added = (bias + shift).astype(np.float32) if link.bias is not None or shift.any() else None
    link.store(weight[:, columns].astype(np.float32), added)
