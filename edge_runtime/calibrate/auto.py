"""The method `auto`: ranges by what they do to the detector's outputs, and what had better stay in float.

Two ranges are tried for every activation: the one with the least squared error, and the one with the least squared
error behind the activation function that follows. Most roundings hardly matter; a few ruin a network, above all where
channels of very different size share one scale before a depthwise convolution. Those stay in float, as far as at most a
small part of the multiplications does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection, Dict, List, Mapping, Tuple

from edge_runtime.calibrate.noise import NoiseProbe
from edge_runtime.calibrate.observations import Observations
from edge_runtime.calibrate.ranges.methods import Range, behind
from edge_runtime.graph import rounding_points
from edge_runtime.graph.followers import followers
from edge_runtime.graph.network import Network
from edge_runtime.graph.onnx_stats import onnx_layers
from edge_runtime.graph.quantize import ONNXRUNTIME

LOUD = 0.0003  # noise of one activation that is worth leaving it in float
FLOAT_MACS = 0.08  # part of the multiplications that may stay in float for it


@dataclass(frozen=True)
class Choice:
    """Ranges, what stays in float, and why.

    Attributes:
        ranges: by activation.
        float_activations: activations that stay in float, the loudest first.
        noise: of each activation rounded alone; see `Probe`.
    """

    ranges: Dict[str, Range]
    float_activations: Tuple[str, ...]
    noise: Dict[str, float]


def choose_ranges(network: Network, notes: Observations, probe: NoiseProbe, keep: Collection[str] = ()) -> Choice:
    """Measures and chooses.

    Args:
        network: prepared, in float.
        probe: of every activation that ONNX Runtime's form rounds.
        keep: layers that stay in float in any case.
    """
    plain, functions = notes.ranges("mse"), followers(network)
    heard = {n: behind(h, functions[n]) if n in functions else plain[n] for n, h in notes.histograms.items()}
    marked = ONNXRUNTIME.marked(network, keep)
    before, after = (rounding_points.shared(network, ranges, marked) for ranges in (plain, heard))
    noise = probe.each(before)
    again = probe.each({name: after[name] for name in marked if after[name] != before[name]})
    better = {name for name, value in again.items() if value < noise[name]}
    ranges = {name: (heard if name in better else plain)[name] for name in plain}
    noise.update({name: again[name] for name in better})
    return Choice(ranges, tuple(_loud(network, noise)), noise)


def multiplications(network: Network) -> Dict[str, float]:
    """By activation, the part of all multiplications with weights that read it."""
    shares: Dict[str, float] = {}
    counted = {stats.name: stats.conv_macs for stats in onnx_layers(network.model)}
    total = sum(counted.values())
    for node in network.nodes:
        name = node.name or node.output[0]
        if network.weight(node) is not None and total:
            shares[node.input[0]] = shares.get(node.input[0], 0.0) + counted.get(name, 0) / total
    return shares


def _loud(network: Network, noise: Mapping[str, float]) -> List[str]:
    shares, spent, free = multiplications(network), 0.0, []
    for name in sorted(noise, key=lambda name: -noise[name]):
        share = shares.get(name, 0.0)
        if noise[name] > LOUD and spent + share <= FLOAT_MACS:
            free.append(name)
            spent += share
    return free
