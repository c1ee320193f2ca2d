"""What is unusual about the activations of a network: always zero, or too large. Their ranges, and notes about them."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

from edge_runtime.calibrate.observations import ZERO, Observations
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.calibrate.ranges.table import LARGEST, RangeTable
from edge_runtime.graph import rounding_points
from edge_runtime.graph.network import Network

ANY: Range = (0.0, 1.0)  # every scale is right for zeros


def usable(network: Network, ranges: Mapping[str, Range], seen: Observations) -> Dict[str, Range]:
    """Returns the ranges, with one for each activation that was always zero, and none that reaches too far.

    An activation that was zero gets the range of those that it shares a scale with, if they were not zero.
    """
    low, high = -LARGEST, LARGEST
    found = {name: (max(limits[0], low), min(limits[1], high)) for name, limits in ranges.items()}
    together = rounding_points.shared(network, ranges, list(ranges))
    found.update({name: ANY if together[name] == ZERO else together[name] for name in seen.zero})
    return found


def facts(seen: Observations) -> Dict[str, object]:
    """Returns what a range table should keep of this, for the notes of a run that uses the table again."""
    unusual = {"zero": sorted(seen.zero), "huge": sorted(seen.huge)}
    return {key: names for key, names in unusual.items() if names}


def of(network: Network, table: RangeTable) -> Tuple[str, ...]:
    """Returns notes about the network and its range table."""
    notes: List[str] = []
    if network.was:
        notes.append(f"the network is {network.was}: INT8 is made of a float32 copy, which takes and gives float32")
    notes += _said(table, "zero", "always zero on the images: any scale is right")
    notes += _said(table, "huge", "larger than a scale can be: left in float")
    return tuple(notes)


def _said(table: RangeTable, key: str, what: str) -> Sequence[str]:
    names = table.about.get(key, [])
    if not isinstance(names, list) or not names:
        return []
    many = f"{len(names)} activations are" if len(names) > 1 else "1 activation is"
    return [f"{many} {what} (the first is {names[0]})" if len(names) > 1 else f"{many} {what} ({names[0]})"]
