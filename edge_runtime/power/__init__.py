"""Power meters: watts in, by rail.

A member is a module with

    PRIORITY                        who is preferred where several could read (default 0)
    available(root) -> str | None   None where it can be read here, else the reason
    open(root) -> Meter

`root` stands for `/`: a recorded tree can stand in for a board. Standard library alone, as a bare board has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Protocol, Sequence

from edge_runtime import plugins
from edge_runtime.errors import SourceError

# Rails that feed all others, and what they stand for. Where a board has none, the rails are added up.
INPUTS = {"VIN": "board_input", "POM_5V_IN": "board_input", "VDD_IN": "module_input", "psys": "board_input"}
FED = ("VDDQ_VDD2_1V8AO",)  # by VIN_SYS_5V0 on AGX Orin: adding it would count it twice


class Meter(Protocol):
    """An open meter.

    Attributes:
        name: of the member.
        gaps: rails that could not be read, counted, since it was opened.
    """

    name: str

    @property
    def gaps(self) -> int: ...

    def read_w(self) -> Dict[str, float]:
        """Watts by rail, now; a rail that cannot be read is left out and counted in `gaps`."""


@dataclass(frozen=True)
class Total:
    """Watts of the whole, and of what that whole is.

    Attributes:
        watts: of the input rail, or of the sum.
        rail: its name, or the names of all that were added: "GPU+CPU+SOC".
        scope: board_input, module_input, rail_sum, package or gpu.
    """

    watts: float
    rail: str
    scope: str


class Meters:
    """Several meters as one: a Jetson Thor has two chips.

    Args:
        meters: whose rails have different names.
    """

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = list(meters)
        self.name = "+".join(meter.name for meter in meters)

    @property
    def gaps(self) -> int:
        """Of all."""
        return sum(meter.gaps for meter in self._meters)

    def read_w(self) -> Dict[str, float]:
        """Of all."""
        return {rail: watts for meter in self._meters for rail, watts in meter.read_w().items()}


def open(root: Path = Path("/")) -> Meter:
    """The meter of this machine: the sensors of a board, else the counters of a processor.

    Raises:
        SourceError: nothing can be read; the message says why, of each.
    """
    members = plugins.members("power")
    reasons = {module: module.available(root) for module in members}
    usable = [module for module in members if reasons[module] is None]
    if not usable:
        said: List[str] = [f"{module.__name__.rsplit('.', 1)[1]}: {reason}" for module, reason in reasons.items()]
        raise SourceError(f"no power sensor ({'; '.join(said)})", hint="power is n/a here; nothing else is affected")
    best = max(module.PRIORITY for module in usable)
    opened: List[Meter] = [module.open(root) for module in usable if best == module.PRIORITY]
    return opened[0] if len(opened) == 1 else Meters(opened)


def total(rails: Dict[str, float]) -> Total:
    """The whole of one reading: its input rail, else the packages of a processor, else the sum of its rails.

    Raises:
        SourceError: there is no rail.
    """
    for name, scope in INPUTS.items():
        if name in rails:
            return Total(rails[name], name, scope)
    packages = {name: watts for name, watts in rails.items() if name.startswith("package")}
    added = packages or {name: watts for name, watts in rails.items() if name not in FED}
    if not added:
        raise SourceError("no rail could be read", hint="power is n/a for this reading")
    return Total(sum(added.values()), "+".join(added), "package" if packages else "rail_sum")
