"""The fronts of a study: which networks no other one beats, by accuracy and by one cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Sequence, Tuple

from edge_runtime.benchmark import results
from edge_runtime.benchmark.results import Row
from edge_runtime.study import figures
from edge_runtime.study.figures import COSTS, Cost, ap, front


@dataclass(frozen=True)
class Front:
    """Networks by AP and one cost. All are measured on the same pictures.

    Attributes:
        cost: name and unit.
        place: the pictures, and for a cost of a machine the machine and its mode.
        points: (name, cost, AP, its low and high end).
        best: numbers of the points on the front, by rising cost.
    """

    cost: str
    place: str
    points: Tuple[Tuple[str, float, float, float, float], ...]
    best: Tuple[int, ...]


def fronts(rows: Sequence[Row]) -> List[Front]:
    """All fronts of two networks or more. None has a network that was trained on these pictures."""
    return [one for one in _all(rows) if len(one.points) > 1]


def _all(rows: Sequence[Row]) -> Iterator[Front]:
    unseen = [row for row in rows if not results.seen(row)]
    for cost, figure, of_machine in COSTS:
        for data, alike in figures.same_data(unseen).items():
            name = str(alike[0]["ap"].get("name") or data[:8])
            if not of_machine:
                yield _front(cost, name, figures.one_of_each(alike), figure)
                continue
            for place, there in figures.same_machine(alike).items():
                yield _front(cost, f"{name}, {place}", there, figure)


def _front(cost: str, place: str, rows: Sequence[Row], figure: Cost) -> Front:
    points = []
    for row in rows:
        spent, found = figure(row), ap(row)
        if spent is not None and found:
            points.append((results.title(row), spent, *found))
    best = front([(spent, gain) for _, spent, gain, _, _ in points])
    return Front(cost, place, tuple(points), tuple(best))
