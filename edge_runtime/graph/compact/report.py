"""What compaction found and did, as plain data and as lines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph import products, sparsity
from edge_runtime.graph.channels import axis_of
from edge_runtime.graph.network import WEIGHTED, Network

if TYPE_CHECKING:
    import onnx

READ = (*WEIGHTED, "BatchNormalization")


@dataclass(frozen=True)
class Counts:
    """Counts of a network with batch normalisation folded in, for one image.

    Attributes:
        macs: multiply-adds of all operators whose sizes are known.
        parameters: values of weights and biases.
        weights, zeros: values of weights, and how many of them are 0.
        groups, thin: groups of four neighbours along the input channels, and how many have two zeros at least.
        filters: by name of an operator: its filters, and how many have no weight but 0.
    """

    macs: int
    parameters: int
    weights: int
    zeros: int
    groups: int
    thin: int
    filters: Dict[str, Tuple[int, int]]

    @property
    def dead(self) -> int:
        """Filters that have no weight but 0."""
        return sum(dead for _, dead in self.filters.values())


@dataclass(frozen=True)
class Report:
    """What compaction did.

    Attributes:
        before, after: counts.
        multiple: a layer that loses filters keeps a multiple of this number.
        spare: filters that could go, and stay for that.
        difference: largest relative difference of an output between the file and the result.
        inputs: what was compared, in words.
        tolerance: the largest difference that is allowed.
    """

    before: Counts
    after: Counts
    multiple: int
    spare: int
    difference: float
    inputs: str
    tolerance: float

    @property
    def saved(self) -> bool:
        """Whether the result has fewer multiply-adds. Otherwise it is the file."""
        return self.after.macs < self.before.macs

    def to_dict(self) -> Dict[str, Any]:
        """Returns plain data."""
        return {**asdict(self), "saved": self.saved}

    def lines(self) -> List[str]:
        """Returns the report for the terminal."""
        old, new = self.before, self.after
        spare = "filters that could go, kept so that widths are multiples of"
        filters = [sum(count for count, _ in counts.filters.values()) for counts in (old, new)]
        return [
            *([] if self.saved else ["no multiply-adds are saved: the file stays as it is"]),
            f"filters: {filters[0]:,} -> {filters[1]:,}; {old.dead:,} had no weight but 0",
            *([f"{spare} {self.multiple}: {self.spare:,}"] if self.multiple > 1 else []),
            f"MACs: {old.macs:,} -> {new.macs:,}, parameters: {old.parameters:,} -> {new.parameters:,}",
            f"zeros among the weights that stay: {_share(new.zeros, new.weights)}; single zeros make nothing faster",
            f"groups of four weights with two zeros or more (2:4): {_share(new.thin, new.groups)}",
            f"largest relative difference: {self.difference:.1e} on {self.inputs}, allowed {self.tolerance:.0e}",
        ]


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / max(whole, 1):.1%})"


def counted(network: Network) -> Counts:
    """Counts a network."""
    nodes = [node for node in network.nodes if network.weight(node) is not None]
    weights = {node.output[0]: _by_filter(network, node) for node in nodes}
    read = {name for node in network.nodes if node.op_type in READ for name in node.input if name in network.constants}
    fours = [sparsity.fours(weight) for weight in weights.values()]
    return Counts(
        sum(products.multiplications(network).values()),
        sum(network.constants[name].size for name in read),
        sum(weight.size for weight in weights.values()),
        sum(int((weight == 0).sum()) for weight in weights.values()),
        sum(len(four) for four in fours),
        sum(int((np.count_nonzero(four, axis=1) <= 2).sum()) for four in fours),
        {name: (len(w), int((~w.reshape(len(w), -1).any(axis=1)).sum())) for name, w in weights.items()},
    )


def _by_filter(network: Network, node: onnx.NodeProto) -> NDArray[Any]:
    """The weight as (filters, inputs, ...); its axes as they are where there are no filters."""
    return np.moveaxis(network.constants[network.weight(node) or ""], axis_of(network, node) or 0, 0)
