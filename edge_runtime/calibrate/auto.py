"""The method `auto`: chooses ranges by their effect on the detector's outputs, and what should stay in float.

Two ranges are tried for every activation: the one with the least squared error, and the one with the least squared
error after the activation function that follows. Most roundings hardly matter, but a few ruin a network. The worst are
those before a depthwise convolution, if channels of very different size share one scale. These activations stay in
float, as long as only a small part of the multiplications does: see `budget`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection, Dict, List, Mapping, Tuple

from edge_runtime.calibrate.budget import Budget
from edge_runtime.calibrate.noise import NoiseProbe
from edge_runtime.calibrate.observations import Observations
from edge_runtime.calibrate.ranges.methods import Range, behind
from edge_runtime.graph import rounding_points
from edge_runtime.graph.followers import followers
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import ONNXRUNTIME

FAINT = 0.00005  # an activation with less noise is always rounded
WORTH = 0.003  # noise that all multiplications in float would have to save: less is not worth the time
PART = 0.25  # the same as a part of the noise of all activations


@dataclass(frozen=True)
class Choice:
    """The chosen ranges, and which activations stay in float.

    Attributes:
        ranges: range of each activation.
        float_activations: activations that stay in float.
        noise: noise if only this activation is rounded, by activation; see `NoiseProbe`.
    """

    ranges: Dict[str, Range]
    float_activations: Tuple[str, ...]
    noise: Dict[str, float]


def choose_ranges(network: Network, notes: Observations, probe: NoiseProbe, keep: Collection[str] = ()) -> Choice:
    """Measures the noise of each activation, then chooses ranges and what stays in float.

    Args:
        network: a prepared float network.
        probe: a probe of every activation that is rounded in ONNX Runtime's form.
        keep: layers that stay in float in any case.
    """
    plain, functions = notes.ranges("mse"), followers(network)
    lively = {name: function for name, function in functions.items() if name not in notes.zero}
    heard = {n: behind(h, lively[n]) if n in lively else plain[n] for n, h in notes.histograms.items()}
    marked = ONNXRUNTIME.marked(network, keep)
    before, after = (rounding_points.shared(network, ranges, marked) for ranges in (plain, heard))
    noise = probe.each(before)
    again = probe.each({name: after[name] for name in marked if after[name] != before[name]})
    better = {name for name, value in again.items() if value < noise[name]}
    ranges = {name: (heard if name in better else plain)[name] for name in plain}
    noise.update({name: again[name] for name in better})
    return Choice(ranges, tuple(left_in_float(network, noise)), noise)


def left_in_float(network: Network, noise: Mapping[str, float]) -> List[str]:
    """Returns the activations that stay in float: first those that save most noise for each multiplication in float.

    Args:
        noise: noise if only this activation is rounded, by activation.
    """
    budget, least = Budget(network), max(WORTH, PART * sum(noise.values()))
    for name, saved in budget.saved(noise).items():
        if noise[name] > FAINT and saved > least:
            budget.add(name)
    return budget.free
