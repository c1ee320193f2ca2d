"""Keeps a few channels that could go, so that widths fit the blocks of channels in which runtimes compute.

A layer without groups that loses filters keeps a multiple of them, or all. Other tensors, such as parts and joins, keep
the alignment that they have: one of 64 channels stays a multiple of 8, one of 67 need not become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Dict, List

import numpy as np

from edge_runtime.graph.compact.flow import Bools, Flow
from edge_runtime.graph.compact.units import Ints


@dataclass(frozen=True)
class Width:
    """The channels of a tensor, and what their number has to be a multiple of if it changes.

    Attributes:
        roots: the root of the unit of each channel, (C,).
        multiple: 2 or more.
    """

    roots: Ints
    multiple: int

    def fits(self, stays: Bools) -> bool:
        """Whether the number fits, or does not change; `stays` is by root."""
        left = stays[self.roots]
        return bool(left.all() or left.sum() % self.multiple == 0)


def widths(flow: Flow, roots: Ints, multiple: int) -> List[Width]:
    """Returns the widths, narrow ones first: those of parts come before that of the whole.

    Args:
        roots: the root of each unit.
        multiple: of the filters of a layer.
    """
    layers = {link.target for link in flow.links}
    found: Dict[bytes, Width] = {}
    for name, channels in flow.tensors.items():
        of = roots[channels.units]
        known = found.get(of.tobytes(), Width(of, 1))
        wanted = multiple if name in layers else gcd(len(of), multiple)
        found[of.tobytes()] = Width(of, max(wanted, known.multiple))
    return sorted((width for width in found.values() if width.multiple > 1), key=lambda width: len(width.roots))


def moving(flow: Flow, roots: Ints) -> Bools:
    """Returns which roots have a channel that depends on the picture. To keep one of them, what it reads must stay."""
    found = np.zeros(len(roots), bool)
    for channels in flow.tensors.values():
        found[roots[channels.units[~channels.fixed]]] = True
    return found


def fit(stays: Bools, of: List[Width], last: Bools) -> bool:
    """Keeps channels until each width fits, and says whether it kept any.

    Args:
        stays: by root, whether it stays; more of them do afterwards.
        last: by root, whether it is kept only where no other helps.
    """
    before = stays.sum()
    for width in of:
        spare = width.roots[~stays[width.roots]]
        for root in spare[np.argsort(last[spare], kind="stable")]:
            if width.fits(stays):
                break
            stays[root] = True
    return bool(stays.sum() > before)
