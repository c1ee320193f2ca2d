"""Power meters: the watts of each rail.

A member is a module with

    PRIORITY                        the highest is preferred if several can read; below 0: only when named
    available(root) -> str | None   None if it can be read here, else the reason
    open(root, what) -> Meter       `what` is the text after a colon: "replay:run.csv"
    check(root, what)               refuses what `open` refuses, and starts nothing (optional: else `available` says it)

`root` stands for `/`: a recorded tree can stand in for a board. A bare board has the standard library only. Other
libraries are therefore imported when a member is asked.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Collection, Dict, List, Optional, Protocol, Sequence, Tuple

from edge_runtime import plugins
from edge_runtime.errors import SourceError
from edge_runtime.power._total import Total, total_of

__all__ = ["Meter", "Meters", "Total", "check", "open", "reasons", "total_of"]


class Meter(Protocol):
    """An open meter. A meter of a recorded trace also has `restart()`, which is called when a measured run begins.

    Attributes:
        name: name of the member.
        rails: names that a reading may have.
        gaps: number of rails that could not be read since the meter was opened.
    """

    name: str

    @property
    def rails(self) -> Sequence[str]: ...

    @property
    def gaps(self) -> int: ...

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        """Watts by rail, now. A rail that cannot be read is left out and counted in `gaps`.

        Args:
            only: the rails that are wanted, because reading fewer may cost less. The result may have others too.
        """

    def close(self) -> None:
        """Ends what was started. It may be called more than once."""


class Meters:
    """Joins several meters into one: a Jetson Thor has two chips.

    Args:
        meters: the meters, whose rails have different names.
    """

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = list(meters)
        self.name = "+".join(meter.name for meter in meters)
        self.rails = [rail for meter in meters for rail in meter.rails]

    @property
    def gaps(self) -> int:
        """Of all."""
        return sum(meter.gaps for meter in self._meters)

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        """Of all."""
        return {rail: watts for meter in self._meters for rail, watts in meter.read_w(only).items()}

    def close(self) -> None:
        """Closes all."""
        for meter in self._meters:
            meter.close()


def open(root: Path = Path("/"), named: str = "") -> Meter:
    """The meter of this machine: the sensors of a board, else the counters of its chips, else the output of a program.

    Args:
        root: stands for `/`.
        named: a member to use instead, with its argument after a colon: "tegrastats", "replay:run.csv".

    Raises:
        SourceError: no member can read here, or not the named one. `reasons` gives the reason of each.
        UsageError: no member has that name.
    """
    if named:
        member, what = _named(root, named)
        meter: Meter = member.open(root, what)
        return meter
    usable, closed = _usable(root)
    best = max(module.PRIORITY for module in usable)
    try:
        opened: List[Meter] = [module.open(root, "") for module in usable if best == module.PRIORITY]
    except SourceError as error:  # the second choice fails too
        raise SourceError("; ".join([str(error), *closed]), hint=error.hint) from error
    return opened[0] if len(opened) == 1 else Meters(opened)


def check(root: Path = Path("/"), named: str = "") -> None:
    """Refuses what `open` would refuse. It starts no program: whether one that is there gives watts is not tried.

    Raises:
        SourceError, UsageError: see `open`.
    """
    if named:
        member, what = _named(root, named)
        if hasattr(member, "check"):
            member.check(root, what)
    else:
        _usable(root)


def reasons(root: Path = Path("/")) -> Dict[str, Optional[str]]:
    """Why each member that is tried by itself cannot be read here, or None if it can. The preferred one is first."""
    return {_name(module): module.available(root) for module in _asked()}


def _named(root: Path, named: str) -> Tuple[ModuleType, str]:
    """The named member, and what it is to read. One without a `check` of its own can read here."""
    name, _, what = named.partition(":")
    member = plugins.load_member("power", name)
    if not hasattr(member, "check") and (reason := member.available(root)):
        raise SourceError(f"no meter {name} here: {reason}", hint="edge-power alone takes one that is there")
    return member, what


def _usable(root: Path) -> Tuple[List[ModuleType], List[str]]:
    """The members that can read here, and how to open those that are closed."""
    missing = reasons(root)
    usable = [module for module in _asked() if missing[_name(module)] is None]
    closed = [reason for reason in missing.values() if reason and "sudo" in reason]
    if not usable:
        raise SourceError("; ".join(["no power sensor here", *closed]), hint="edge-power says what was looked for")
    return usable, closed


def _asked() -> List[ModuleType]:
    return [module for module in plugins.members("power") if module.PRIORITY >= 0]


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
