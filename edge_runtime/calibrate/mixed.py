"""Mixed precision: leaves as few activations in float as needed to keep the loss small, and finds the worst ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log10
from typing import Any, Callable, Dict, List, Sequence, Tuple

from edge_runtime.accuracy import evidence
from edge_runtime.calibrate import calibration
from edge_runtime.calibrate.budget import Budget
from edge_runtime.calibrate.calibration import Calibrated
from edge_runtime.calibrate.noise import NoiseProbe
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.calibrate.verdict import Comparison
from edge_runtime.graph import rounding_points
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import ONNXRUNTIME
from edge_runtime.model.spec import ModelSpec

GROWTH = (4, 8, 16, 32)  # activations to leave in float in addition, those first that save most noise for their cost
FLOAT_MACS = 0.10  # largest part of the multiplications in float that still makes an INT8 model
ON_ONNXRUNTIME = 0.5  # the same for ONNX Runtime
WORST = 12


@dataclass(frozen=True)
class Trial:
    """A candidate: how many activations stayed in float, and the result."""

    in_float: int
    comparison: Comparison

    def summary(self) -> Dict[str, Any]:
        """Returns plain data for JSON."""
        return {"in_float": self.in_float, "drop": self.comparison.drop, "interval": list(self.comparison.interval)}


@dataclass(frozen=True)
class WorstActivation:
    """An activation whose rounding costs much accuracy.

    Attributes:
        name: name of the tensor.
        sqnr_db: signal to quantisation noise at the head outputs if only this activation is rounded.
        without_db: how much that ratio improves if all activations are rounded except this one.
        in_float: whether it stays in float.
    """

    name: str
    sqnr_db: float
    without_db: float
    in_float: bool


class MixedPrecisionSearch:
    """Tries candidates, with more and more activations in float."""

    def __init__(
        self,
        network: Network,
        spec: ModelSpec,
        images: Sequence[str],
        made: Calibrated,
        trial: Callable[[Calibrated], Comparison],
    ) -> None:
        """Args: network: a prepared float network; images: for calibration; trial: compares with the original."""
        self._network, self._spec, self._images, self._made, self._trial = network, spec, images, made, trial

    def mend(self, max_drop: float, time_left: Callable[[], bool]) -> Tuple[Calibrated, List[Trial]]:
        """Returns the first candidate that loses at most `max_drop` points of AP, else the best; and all tried ones."""
        best, tried = self._made, [Trial(len(self._made.table.float_activations), self._trial(self._made))]
        most = evidence.limits(tried[0].comparison.metric, max_drop)[0]
        least, order = tried[0], self._order()
        for more in GROWTH:
            if least.comparison.drop <= most or not time_left():
                break
            free = self._fitting(order, more)
            if len(free) == tried[-1].in_float:
                break
            candidate = self._with(free)
            tried.append(Trial(len(free), self._trial(candidate)))
            if tried[-1].comparison.drop < least.comparison.drop:
                best, least = candidate, tried[-1]
        if tried[-1] is not least:
            tried.append(least)
        return best, tried

    def _order(self) -> List[str]:
        noise = self._made.noise or _noise(self._network, self._spec, self._images, self._made)
        return list(Budget(self._network).saved(noise))

    def _fitting(self, order: Sequence[str], more: int) -> Tuple[str, ...]:
        """Returns what stays in float already and the next others, as long as their multiplications are few."""
        budget = Budget(self._network, self._made.table.float_activations, FLOAT_MACS, ON_ONNXRUNTIME)
        most = len(budget.free) + more
        for name in order:
            if len(budget.free) < most and name not in budget.free:
                budget.add(name)
        return tuple(budget.free)

    def _with(self, free: Tuple[str, ...]) -> Calibrated:
        table = replace(self._made.table, float_activations=free)
        learned = self._made.learned.without(free)
        model = calibration.quantised(self._network, self._spec, table, learned)
        return replace(self._made, model=model, table=table)


def worst_activations(
    network: Network, spec: ModelSpec, images: Sequence[str], made: Calibrated
) -> List[WorstActivation]:
    """Returns the activations whose rounding costs most, alone and together with all others."""
    if not made.table.ranges:
        return []  # a network without a convolution
    probe, ranges = _probe(network, spec, images, made)
    alone = probe.each(ranges)
    loudest = sorted(alone, key=lambda name: -alone[name])[:WORST]
    rounded = {name: limits for name, limits in ranges.items() if name not in made.table.float_activations}
    together = probe.noise(rounded)
    rows = []
    for name in loudest:
        rest = probe.noise({k: v for k, v in rounded.items() if k != name}) if name in rounded else together
        rows.append(WorstActivation(name, _db(alone[name]), _db(rest) - _db(together), name not in rounded))
    return rows


def _noise(network: Network, spec: ModelSpec, images: Sequence[str], made: Calibrated) -> Dict[str, float]:
    probe, ranges = _probe(network, spec, images, made)
    return probe.each(ranges)


def _probe(
    network: Network, spec: ModelSpec, images: Sequence[str], made: Calibrated
) -> Tuple[NoiseProbe, Dict[str, Range]]:
    marked = ONNXRUNTIME.marked(network, made.table.origin.keep)
    ranges = rounding_points.shared(network, made.table.ranges, marked)
    return calibration.noise_probe(network, ranges, spec, images), ranges


def _db(noise: float) -> float:
    return -10 * log10(max(noise, 1e-12))
