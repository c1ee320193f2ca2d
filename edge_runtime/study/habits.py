"""What a source counts as parameters, operations and bytes. Each habit has the name that published.toml says."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, Optional, Tuple

from edge_runtime import zoo
from edge_runtime.graph.counts import Stats, total
from edge_runtime.model.labels import load_labels
from edge_runtime.zoo.stats import architecture_layers


@dataclass(frozen=True)
class Network:
    """A network of the zoo as it is counted. It needs no weights.

    Attributes:
        layers: counts of each layer.
        whole: their sum.
        heads: names of the layers that are outputs.
    """

    layers: Tuple[Stats, ...]
    whole: Stats
    heads: FrozenSet[str]


@functools.lru_cache(maxsize=None)
def network(name: str, side: int, classes: str) -> Network:
    """Counts a network of the zoo. The same one is counted once in a process.

    Args:
        name: architecture and preset: `leyolo/small`.
        side: of the square input, pixels.
        classes: a set of labels, `voc` (20) or `coco` (80), or their number.

    Raises:
        UsageError: the zoo has no such network.
    """
    architecture, _, preset = name.partition("/")
    labels = tuple(map(str, range(int(classes)))) if classes.isdecimal() else load_labels(classes)
    built = zoo.build(architecture, labels, side, preset or None)
    layers = tuple(architecture_layers(built))
    return Network(layers, total(layers), frozenset(built.outputs))


def _tenth(weights: int) -> int:
    """What is left of weights of which nine tenths, rounded down, are zero."""
    return weights - weights * 9 // 10


def _heads_and_rest(counted: Network) -> int:
    """The heads, and of all other layers what is no convolution."""
    rest = sum(layer.conv_macs for layer in counted.layers if layer.name not in counted.heads)
    return counted.whole.thop_macs - rest


Habit = Callable[[Network], float]
PARAMS: Dict[str, Habit] = {
    "all": lambda one: one.whole.parameters,
    "weights": lambda one: one.whole.weights,
    "weights and BN gammas": lambda one: one.whole.weights + one.whole.bn // 2,
    "a tenth of the weights": lambda one: _tenth(one.whole.weights),
    "a tenth of each layer's weights": lambda one: sum(_tenth(layer.weights) for layer in one.layers),
    "twice the heads' weights": lambda one: 2 * sum(r.weights for r in one.layers if r.name in one.heads),
}
OPS: Dict[str, Habit] = {
    "2 x MACs": lambda one: one.whole.ops,
    "2 x THOP MACs": lambda one: 2 * one.whole.thop_macs,
}
THOP: Dict[str, Habit] = {
    "all": lambda one: one.whole.thop_macs,
    "heads, BN and activations": _heads_and_rest,
}
BYTES: Dict[str, Habit] = {  # Darknet's file also holds mean and variance
    "MiB of Darknet's file": lambda one: 4e6 * (one.whole.parameters + one.whole.bn) / 2**20,
    "a byte for each weight": lambda one: one.whole.weights,
}


def difference(stated: int, ours: float, step: Optional[int] = None) -> str:
    """How our figure differs from one that a source states, in words.

    Args:
        step: what its last printed digit stands for; default: that of its last digit that is not 0. A source may have
            rounded or cut it.
    """
    step = step or _last_digit(stated)
    apart = round(ours) - stated
    if not apart:
        return "equal"
    if stated in (int(ours // step * step), int((ours + step / 2) // step * step)):
        return f"equal in the printed digits ({round(ours):,})"
    if abs(apart) < 1e-4 * stated:
        return f"{abs(apart):,} {'more' if apart > 0 else 'fewer'} ({round(ours):,})"
    return f"{100 * apart / stated:+.1f} % ({round(ours):,})"


def _last_digit(number: int) -> int:
    digits = str(number)
    return int("1" + "0" * (len(digits) - len(digits.rstrip("0"))))
