"""Computes the watts of a whole machine from those of its rails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

from edge_runtime.errors import SourceError

# Rails that feed all others, and the scope of each. If a board has none of them, all its rails are added up.
INPUTS = {"VIN": "board_input", "POM_5V_IN": "board_input", "VDD_IN": "module_input", "psys": "board_input"}
FED = ("VDDQ_VDD2_1V8AO",)  # VIN_SYS_5V0 feeds it on AGX Orin: adding it would count it twice
CHIPS = {"package": re.compile(r"package-\d+"), "gpu": re.compile(r"gpu\d+")}  # whole chips of a computer


@dataclass(frozen=True)
class Total:
    """The rails that make up the watts of a machine.

    Attributes:
        rails: the input rail, or the rails that are added up.
        scope: board_input, module_input, rail_sum, package or gpu.
    """

    rails: Tuple[str, ...]
    scope: str

    @property
    def name(self) -> str:
        """One name for all rails: "GPU+CPU+SOC"."""
        return "+".join(self.rails)

    def watts(self, reading: Dict[str, float]) -> Optional[float]:
        """Watts of one reading. None if one of the rails is missing, because the sum would be too low."""
        if any(rail not in reading for rail in self.rails):
            return None
        return sum(reading[rail] for rail in self.rails)


def total_of(rails: Sequence[str]) -> Total:
    """Chooses the rails of the total: the input rail, else the whole chips of a PC, else all rails.

    Raises:
        SourceError: there is no rail.
    """
    for name, scope in INPUTS.items():
        if name in rails:
            return Total((name,), scope)
    chips = {rail: kind for kind, pattern in CHIPS.items() for rail in rails if pattern.fullmatch(rail)}
    added = tuple(chips) or tuple(rail for rail in rails if rail not in FED)
    if not added:
        raise SourceError("no rail could be read", hint="power is not available for this reading")
    kinds = set(chips.values())
    return Total(added, kinds.pop() if len(kinds) == 1 else "rail_sum")
