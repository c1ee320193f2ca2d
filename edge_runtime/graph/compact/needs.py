"""Which channels have to stay: those that something reads, seen from the outputs back, and a few for the widths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.compact.flow import Bools, Flow, Link
from edge_runtime.graph.compact.pivots import Expressed, express
from edge_runtime.graph.compact.units import Ints
from edge_runtime.graph.compact.widths import fit, moving, widths


@dataclass(frozen=True)
class Needs:
    """What stays.

    Attributes:
        roots: the root of each unit.
        stays: by root, whether it stays.
        spare: by root, whether it stays for a width alone.
        expressed: by link, in their order: its fixed input channels as sums of those that stay.
    """

    roots: Ints
    stays: Bools
    spare: Bools
    expressed: Tuple[Expressed, ...]

    def kept(self, units: Ints) -> Bools:
        """Returns which of these units stay; both (n,)."""
        kept: Bools = self.stays[self.roots[units]]
        return kept

    def for_width(self, units: Ints) -> int:
        """Returns how many of these units, (n,), stay for a width alone."""
        return int(self.spare[self.roots[units]].sum())


def needs(flow: Flow, values: Mapping[str, NDArray[np.float32]], multiple: int) -> Needs:
    """Finds what has to stay. Of each tensor at least one channel does.

    Args:
        values: tensors with fixed channels, (1, C, ...), that a link reads.
        multiple: of the filters of a layer that loses some; 1 or more.
    """
    roots = flow.units.roots()
    stays = np.zeros(len(roots), bool)
    for units in flow.needed:
        stays[roots[units]] = True
    known: Dict[Tuple[str, bool], Expressed] = {}
    expressed = tuple(_expressed(flow, link, values, known) for link in flow.links)
    found = Needs(roots, stays, np.zeros_like(stays), expressed)
    read = [(link.weight != 0).any(axis=2) for link in flow.links]
    _settle(flow, found, read)
    least, wanted, last = stays.copy(), widths(flow, roots, multiple), moving(flow, roots)
    while fit(stays, wanted, last):
        _settle(flow, found, read)
    found.spare[:] = stays & ~least
    return found


def _settle(flow: Flow, found: Needs, read: List[Bools]) -> None:
    """Adds what those that stay need, and one channel of a tensor that has none."""
    _spread(flow, found, read)
    while _one_each(flow, found):
        _spread(flow, found, read)


def _expressed(
    flow: Flow,
    link: Link,
    values: Mapping[str, NDArray[np.float32]],
    known: Dict[Tuple[str, bool], Expressed],
) -> Expressed:
    key = (link.source, link.shifts)
    if key not in known:
        fixed = flow.tensors[link.source].fixed
        map_of = values[link.source][0] if fixed.any() else np.zeros((len(fixed), 1), np.float32)
        known[key] = express(map_of, fixed, link.shifts)
    return known[key]


def _spread(flow: Flow, found: Needs, read: List[Bools]) -> None:
    """Goes back through the links until nothing is added."""
    before = -1
    while before != found.stays.sum():
        before = int(found.stays.sum())
        for link, expressed, weighs in reversed(list(zip(flow.links, found.expressed, read))):
            rows = found.kept(flow.tensors[link.target].units)
            wanted = expressed.wanted(np.asarray(weighs[rows].any(axis=0)))
            found.stays[found.roots[flow.tensors[link.source].units[wanted]]] = True


def _one_each(flow: Flow, found: Needs) -> bool:
    """Keeps the first channel of a tensor that would have none."""
    for channels in flow.tensors.values():
        if not found.kept(channels.units).any():
            found.stays[found.roots[channels.units[0]]] = True
            return True
    return False
