"""How sure is the choice: the same pictures drawn again and again, and how often the winner stays ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.identify.candidates import DIMENSIONS
from edge_runtime.identify.contest import Entry, Judge

Drawn = Dict[int, NDArray[np.float64]]
DRAWS, SEED = 200, 0
SURE, LIKELY = 0.95, 0.6  # parts of the samples
# Pictures of one folder are alike: whole samples of a dozen call a chance of theirs sure. tools/identify_sure.py
# measures how often what is called sure in samples of a third is wrong.
CAUTIOUS = 1 / 3


@dataclass(frozen=True)
class Rival:
    """What speaks for the winner against the best entry with another value in one dimension.

    Attributes:
        dimension: one of `DIMENSIONS`.
        value: the other value.
        ahead: part of the samples in which the winner is better.
    """

    dimension: str
    value: str
    ahead: float

    @property
    def told_apart(self) -> bool:
        """Whether the difference is more than chance."""
        return self.ahead >= SURE


def samples(judge: Judge, entries: Sequence[Entry], part: float = 1.0) -> Drawn:
    """Scores of each entry in the same random samples of the pictures, by `id(entry)`.

    Args:
        part: size of a sample as a part of the pictures.
    """
    count = len(entries[0].weighed)
    draws = np.random.default_rng(SEED).integers(0, count, (DRAWS, max(1, round(part * count))))
    return {id(entry): judge.resampled(entry.candidate, entry.weighed, draws) for entry in entries}


def ahead(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Part of the samples (n,) in which the first is better; equal ones count half."""
    return float(np.mean((first > second) + 0.5 * (first == second)))


def near(order: Sequence[Entry], drawn: Drawn) -> List[Entry]:
    """The best entry, and all that are not told apart from it.

    Args:
        order: best first.
    """
    best = drawn[id(order[0])]
    return [entry for entry in order if entry is order[0] or ahead(best, drawn[id(entry)]) < SURE]


def rivals(winner: Entry, entries: Sequence[Entry], drawn: Drawn) -> List[Rival]:
    """For each dimension and each other value in it, the best entry with that value against the winner."""
    own, found = winner.candidate.values, []
    for dimension in DIMENSIONS:
        others: Dict[str, List[Entry]] = {}
        for entry in entries:
            if entry.candidate.values[dimension] != own[dimension]:
                others.setdefault(entry.candidate.values[dimension], []).append(entry)
        for value, those in others.items():
            best = max(those, key=lambda entry: float(drawn[id(entry)].mean()))
            found.append(Rival(dimension, value, ahead(drawn[id(winner)], drawn[id(best)])))
    return found


def decided(judge: Judge, entries: Sequence[Entry]) -> bool:
    """Whether one entry is so far ahead of all others that more pictures would change nothing."""
    if len(entries) < 2:
        return True
    drawn = samples(judge, entries, CAUTIOUS)
    best = max(entries, key=lambda entry: float(drawn[id(entry)].mean()))
    others = (entry for entry in entries if entry is not best)
    return all(ahead(drawn[id(best)], drawn[id(other)]) >= SURE for other in others)


def choose(order: Sequence[Entry], drawn: Drawn) -> Entry:
    """The best entry, or a more usual one that is not clearly worse.

    Args:
        order: best first.
    """
    best = order[0]
    close = [entry for entry in order if ahead(drawn[id(best)], drawn[id(entry)]) < _enough(best, entry)]
    return min([best, *close], key=lambda entry: entry.candidate.unusual)


def _enough(best: Entry, other: Entry) -> float:
    """Part of the samples in which the best must be ahead of a more usual one.

    Another family with the same boxes, and another place of the padding, are hardly ever a real difference.
    """
    first, second = best.candidate, other.candidate
    padded = "stretch" not in (first.spec.resize, second.spec.resize)
    return SURE if first.reading != second.reading or (padded and first.spec.resize != second.spec.resize) else LIKELY
