"""Chooses which activations are quantised, and which of them share one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection, Dict, List, Mapping, Set, Tuple

from edge_runtime.graph.network import DOMAINS, WEIGHTED, Network
from edge_runtime.graph.subgraphs import outer_names

if TYPE_CHECKING:
    import onnx

Range = Tuple[float, float]
NARROW = 4
# These operators only move values. Input and output share one scale, so that no value is rounded twice.
# Concat is not among them: its inputs keep their own scales. A common scale could reach beyond the end of a Clip, and
# the Clip could then not be removed.
MOVING = ("Flatten", "Gather", "MaxPool", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose",
          "Unsqueeze")  # fmt: skip
COMPUTING = (*WEIGHTED, "Add", "AveragePool", "Concat", "GlobalAveragePool", "LeakyRelu", "Mul")
CLIPPING = ("Relu", "Clip")  # merged into the operator before them: the end of the range already clips


def everywhere(network: Network, keep: Collection[str] = ()) -> List[str]:
    """Returns every activation between operators that compute in 8 bits. The inputs of the decoding are not rounded.

    Args:
        keep: names of nodes, or of their first outputs, that stay in float.
    """
    last = set(ends(network))
    body = network.leading_to_weights()
    marked: Dict[str, None] = {}
    for node in network.nodes:
        if node.output[0] in body and _computes(network, node) and not kept(node, keep):
            marked.update(dict.fromkeys(_activations(network, node)))
            marked.update(dict.fromkeys(behind_clip(network, name) for name in node.output))
    floats = network.float_activations
    return [name for name in marked if name in floats and name not in last
            and not _into_clip(network, name) and not _gate(network, name)]  # fmt: skip


def before_weights(network: Network, keep: Collection[str] = ()) -> List[str]:
    """Returns the places where TensorRT rounds: inputs of weighted operators, and the skip input of each addition."""
    body = network.leading_to_weights()
    marked: Dict[str, None] = {}
    for node in network.nodes:
        if node.output[0] not in body or kept(node, keep):
            continue
        if network.weight(node) is not None:
            marked[network.multiplied(node)] = None
        elif node.op_type == "Add" and len(_activations(network, node)) == 2:
            marked[_skip(network, node)] = None
    return [name for name in marked if name in network.float_activations]


def depthwise(network: Network) -> List[str]:
    """Returns the first outputs of the convolutions with fewer than `NARROW` input channels in each of their groups.

    In 8 bits they make plans of TensorRT-RTX much larger: `tools/build_matrix.py`.
    """
    convs = [node for node in network.nodes if node.op_type == "Conv" and network.weight(node) is not None]
    grouped = [node for node in convs if any(a.name == "group" and a.i > 1 for a in node.attribute)]
    return [node.output[0] for node in grouped if network.constants[node.input[1]].shape[1] < NARROW]


def ends(network: Network) -> List[str]:
    """Returns the activations that decoding reads.

    They are not rounded. A logit from -108 to 54 would have steps of 0.6 in 8 bits, which costs points of AP.
    """
    body = network.leading_to_weights()
    names = [name for node in network.nodes if node.output[0] in body for name in node.output]
    return [name for name in names if name in network.outputs or _decoded(network, name, body)]


def _decoded(network: Network, name: str, body: Collection[str]) -> bool:
    return any(reader.output[0] not in body for reader in network.consumers(name))


def shared(network: Network, ranges: Mapping[str, Range], marked: Collection[str]) -> Dict[str, Range]:
    """Returns the ranges of the marked activations. Activations between which values only move get the same range."""
    groups = _Groups(marked)
    for node in network.nodes:
        if node.op_type in MOVING:
            names = [name for name in (node.input[0], *node.output) if name in groups.parent]
            for name in names[1:]:
                groups.join(names[0], name)
    limits: Dict[str, Range] = {}
    for name in marked:
        low, high = ranges[name]
        root = groups.root(name)
        before = limits.get(root, (low, high))
        limits[root] = min(before[0], low), max(before[1], high)
    return {name: limits[groups.root(name)] for name in marked}


def moved_into_graphs(network: Network) -> Set[str]:
    """Returns the first outputs of operators that only move values into a graph inside a node.

    They should not read rounded values: ONNX Runtime moves roundings over such operators, and ends the process if a
    graph inside a node reads the result too.
    """
    read: Set[str] = {name for node in network.nodes for name in outer_names(node)}
    found: Set[str] = set()
    for node in reversed(network.nodes):
        if node.op_type in MOVING and read.intersection(node.output):
            found.add(node.output[0])
            read.add(node.input[0])
    return found


def behind_clip(network: Network, name: str) -> str:
    """Returns the output of a Relu or Clip if that is the only reader of this tensor; otherwise the tensor itself."""
    readers = network.consumers(name)
    alone = len(readers) == 1 and readers[0].op_type in CLIPPING and name not in network.outputs
    return str(readers[0].output[0]) if alone else name


def kept(node: onnx.NodeProto, keep: Collection[str]) -> bool:
    """Whether a node was asked to stay in float, by its own name or the name of its first output."""
    return node.name in keep or node.output[0] in keep


class _Groups:
    """Sets of names that can be joined (union-find)."""

    def __init__(self, names: Collection[str]) -> None:
        self.parent = {name: name for name in names}

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            name = self.parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        self.parent[self.root(other)] = self.root(one)


def _computes(network: Network, node: onnx.NodeProto) -> bool:
    """Whether 8-bit kernels exist for a node. Its weights must be constants; the operands of Add and Mul must not."""
    if node.domain not in DOMAINS:
        return False
    if node.op_type in WEIGHTED:
        return network.weight(node) is not None
    if node.op_type in ("Add", "Mul"):
        return len(_activations(network, node)) == 2
    return node.op_type in COMPUTING or node.op_type in MOVING


def _activations(network: Network, node: onnx.NodeProto) -> List[str]:
    """Returns the node's inputs that are float activations, and no parameters such as sizes and indices."""
    if network.weight(node) is not None:
        return [network.multiplied(node)]
    candidates = list(node.input) if node.op_type in ("Add", "Mul", "Concat") else list(node.input[:1])
    return [name for name in candidates if name in network.float_activations]


def _into_clip(network: Network, name: str) -> bool:
    maker = network.producer(name)
    weighted = maker is not None and maker.op_type in ("Conv", "Gemm", "Add")
    return weighted and behind_clip(network, name) != name


def _gate(network: Network, name: str) -> bool:
    """Whether a sigmoid computes it. Steps of 1/255 near 0 cost accuracy, and rounding here saves no time."""
    maker = network.producer(name)
    return maker is not None and maker.op_type in ("Sigmoid", "HardSigmoid")


def _skip(network: Network, node: onnx.NodeProto) -> str:
    """Returns the input of an addition that other nodes read too. If that is not clear, returns the second input."""
    first, second = str(node.input[0]), str(node.input[1])
    return first if len(network.consumers(first)) > len(network.consumers(second)) else second
