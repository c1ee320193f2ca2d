"""Finds the first tensor of two graphs whose error is larger than the precision explains.

Both graphs get one input. For each tensor that both have, there are two errors: the whole one, after all that came
before, and its own. For its own, the operators of the second graph are given the values of the first. So an error that
one layer makes does not hide in the errors of those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit import graphs
from edge_runtime.audit.graphs import FLOAT, HALF, INT8, Graph, Values
from edge_runtime.audit.likeness import Floats, decibels, powers
from edge_runtime.graph.float32_kinds import LARGEST
from edge_runtime.graph.network import WEIGHTED

# Signal to noise of one operator, dB, below which its precision does not explain the error.
FLOORS = {FLOAT: 60.0, HALF: 38.0, INT8: 14.0}
RECOVERED, FITS = 10.0, 4.0  # ratios of powers
STEPS = 3  # operators between a scale of one file and that of the other


@dataclass(frozen=True)
class Layer:
    """One tensor of both graphs.

    Attributes:
        name, other: its names.
        op: the operator that writes it.
        own_db: signal to noise with equal inputs of the operator.
        whole_db: signal to noise with equal inputs of the network.
        largest: largest absolute value in the first graph.
        broken: number of values that are not finite in the second graph only.
    """

    name: str
    other: str
    op: str
    own_db: float
    whole_db: float
    largest: float
    broken: int


@dataclass(frozen=True)
class Layers:
    """All tensors that both graphs have, in the second's order.

    Attributes:
        floor: dB that one operator should have at this precision.
        first: the first that is worse, or not finite; None if there is none.
        weighted: number of operators with weights in the first graph, and how many of them are compared.
    """

    layers: Tuple[Layer, ...]
    precision: str
    floor: float
    first: Optional[Layer]
    weighted: Tuple[int, int]


def compare(first: Graph, second: Graph, tensors: Sequence[Floats], given: Sequence[Floats] = ()) -> Layers:
    """Compares two graphs on prepared pictures, each (3, H, W).

    Args:
        tensors: what the first is given.
        given: what the second is given, if that is something else.

    Raises:
        ModelError: ONNX Runtime cannot run one of them.
    """
    given = given or tensors
    both = _Both(first, second, tensors[0], given[0])
    for tensor, other in zip(tensors, given):
        both.add(tensor, other)
    layers = tuple(both.layers())
    precision = max((first.precision, second.precision), key=[FLOAT, HALF, INT8].index)
    floor = FLOORS[precision]
    worse = (each for each in layers if each.broken or each.own_db < floor)
    names = {each.name for each in layers}
    weighted = first.weighted
    return Layers(layers, precision, floor, next(worse, None), (len(weighted), sum(n in names for n in weighted)))


class _Both:
    """The tensors that both have, and what was summed up of them."""

    def __init__(self, first: Graph, second: Graph, tensor: Floats, other: Floats) -> None:
        self._first, self._second = first, second
        self.pairs = graphs.by_name(first, second)
        if 2 * sum(name in self.pairs for name in first.weighted) < len(first.weighted):
            self.pairs = self._by_place(tensor)
        self._shown = first.show(list(self.pairs))
        self._others = second.show(list(self.pairs.values()))
        ours, theirs = self._run(tensor, other)
        self.pairs = {n: o for n, o in self.pairs.items() if _comparable(ours[n], theirs[o])}
        self.pairs = {n: o for n, o in self.pairs.items() if not self._in_another_form(n, ours, theirs)}
        self._types = {other: theirs[other].dtype for other in self.pairs.values()}
        given = {other: theirs[other] for other in self.pairs.values()}
        self._alone = graphs.cut(second, given)
        self._sums: Dict[str, NDArray[np.float64]] = {}

    def _in_another_form(self, name: str, ours: Values, theirs: Values) -> bool:
        """Whether a tensor differs only because the other file transposes or scales in another place.

        Then it is unlike, and all that is computed from it is like again.
        """
        if not _same_but_for_form(ours[name], theirs[self.pairs[name]]):
            return False
        own = decibels(*powers(ours[name], theirs[self.pairs[name]]))
        after = self._after(name, ours, theirs, STEPS)
        return bool(after) and min(after) > own + 10 * np.log10(RECOVERED)

    def _after(self, name: str, ours: Values, theirs: Values, steps: int) -> List[float]:
        """Signal to noise, dB, of what is computed next; behind what has another form too, of what comes then."""
        found: List[float] = []
        for each in self._first.read_by(name):
            if each not in self.pairs:
                continue
            pair = ours[each], theirs[self.pairs[each]]
            further = self._after(each, ours, theirs, steps - 1) if steps and _same_but_for_form(*pair) else []
            found += further or [decibels(*powers(*pair))]
        return found

    def _by_place(self, tensor: Floats) -> Dict[str, str]:
        shapes = []
        for graph in (self._first, self._second):
            values = graph.show(graph.weighted).values(graph.feeds(tensor))
            shapes.append({name: value.shape for name, value in values.items()})
        found = graphs.by_place(*shapes)
        ends = zip(self._first.io.outputs, self._second.io.outputs)
        return {**found, **{first: second for first, second in ends if first in self._first.made}}

    def _run(self, tensor: Floats, other: Floats) -> Tuple[Values, Values]:
        return self._shown.values(self._first.feeds(tensor)), self._others.values(self._second.feeds(other))

    def add(self, tensor: Floats, other: Floats) -> None:
        """Adds what one picture says."""
        ours, theirs = self._run(tensor, other)
        with np.errstate(all="ignore"):
            given = {o + graphs.GIVEN: ours[n].astype(self._types[o]) for n, o in self.pairs.items()}
        alone = self._alone.values({**self._second.feeds(other), **given})
        for name, their in self.pairs.items():
            value = ours[name]
            signal, own = powers(value, alone[their])
            _, whole = powers(value, theirs[their])
            broken = np.isfinite(value) & ~(np.isfinite(theirs[their]) & np.isfinite(alone[their]))
            seen = np.array([signal, own, whole, broken.sum()], np.float64)
            self._sums[name] = self._sums.get(name, np.zeros(5)) + np.append(seen, 0)
            self._sums[name][4] = max(self._sums[name][4], float(np.abs(value).max()))

    def layers(self) -> List[Layer]:
        """All of them, in the second's order."""
        order = {name: number for number, name in enumerate(self._second.made)}
        found = []
        for name, other in sorted(self.pairs.items(), key=lambda pair: order[pair[1]]):
            signal, own, whole, broken, largest = self._sums[name]
            op = self._first.made[name].op_type
            if signal > 0:
                db = decibels(signal, own), decibels(signal, whole)
                found.append(Layer(name, other, op, *db, float(largest), int(broken)))
        return found


def _comparable(first: Any, second: Any) -> bool:
    arrays = isinstance(first, np.ndarray) and isinstance(second, np.ndarray)
    return arrays and first.shape == second.shape and first.dtype.kind == second.dtype.kind == "f" and first.size > 0


def _same_but_for_form(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two unlike tensors have the same values in another order, or multiplied by one number."""
    signal, noise = powers(first, second)
    if not RECOVERED * noise > signal:
        return False
    a, b = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
    factor = float(a @ b) / max(float(b @ b), 1e-30)
    left = min(powers(np.sort(a), np.sort(b))[1], powers(a, factor * b)[1])
    return left * FITS < min(noise, signal)


def at_the_start(found: Layers) -> bool:
    """Whether the first broken tensor is that of the first operator with weights, which another input may explain."""
    learnt = [each for each in found.layers if each.op in WEIGHTED]
    return found.first is not None and bool(learnt) and found.first is learnt[0]


def gradual(found: Layers) -> Optional[Layer]:
    """The operator with weights that adds most noise of its own; None if none is compared."""
    learnt = [each for each in found.layers if each.op in WEIGHTED]
    return min(learnt or found.layers, key=lambda each: each.own_db, default=None)


def overflow(graph: Graph, tensor: Floats) -> Optional[Tuple[str, str, float]]:
    """The first tensor of a graph with values that float16 cannot hold: name, operator, largest absolute value.

    Args:
        tensor: a prepared picture (3, H, W).
    """
    for name, value in graph.show(list(graph.made)).values(graph.feeds(tensor)).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
            largest = float(np.abs(value).max())
            if np.isfinite(largest) and largest > LARGEST:
                return name, graph.made[name].op_type, largest
    return None
