"""What edge-plan says: the plan, the nearest miss, and the ways out of it."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from edge_runtime.planning.board import Board
from edge_runtime.planning.budget import MISSED, SURE, Budget
from edge_runtime.planning.estimates import Estimate
from edge_runtime.planning.search import ALL, Option, most_fps, most_gate

COLUMNS = ("engine", "mode", "gate", "FPS each", "busy", "W", "AP", "")
SCOPES = {
    "module_input": "watts are those of the module's input: the carrier board and the power supply take more",
    "rail_sum": "watts are a sum of rails: the carrier board and the power supply take more",
    "package": "watts are those of the processor's package alone: memory, disks and the power supply take more",
    "gpu": "watts are those of the GPU alone: the rest of the machine takes more",
}


def plan(option: Option, budget: Budget, scopes: Sequence[str]) -> List[str]:
    """The lines about the best option."""
    lines = [f"plan: {name(option)}, {option.fps:.3g} FPS for {_cameras(budget)}, {_gate(option)}"]
    if option.watts:
        limit = "" if budget.watts is None else f" of {budget.watts:.2f} W"
        lines.append(f"  watts: {spread(option.watts)}{limit}{_lasts(option.watts, budget)}")
    capacity = next(check.have for check in option.checks if check.what == "FPS")
    need = option.fps * budget.cameras
    lines.append(f"  FPS: {need:.3g} are needed of {spread(capacity)}: {option.busy:.0%} busy")
    if option.ap:
        wanted = "" if budget.ap is None else f", at least {budget.ap:g} is wanted"
        lines.append(f"  AP: {spread(option.ap, 3)}{wanted}")
    if option.state != SURE:
        near = ", ".join(check.what for check in option.checks if check.state != SURE)
        lines.append(f"  not sure: the interval of {near} reaches beyond the limit")
    lines += [f"  extrapolated: {line}" for line in option.assumed]
    return lines + [f"  note: {SCOPES[scope]}" for scope in scopes if scope in SCOPES and option.watts]


def row(option: Option) -> Tuple[str, ...]:
    """One line of the table, see `COLUMNS`."""
    gate = "no" if option.gate == ALL else f"{option.gate:g}"
    figures = (gate, f"{option.fps:.3g}", f"{option.busy:.0%}", spread(option.watts), spread(option.ap, 3))
    return (str(option.way), option.mode or "–", *figures, option.state)


def miss(option: Option) -> str:
    """What the nearest option misses."""
    missed = [
        f"{spread(check.have, 3 if check.what == 'AP' else 2)} {check.what} where "
        f"{'at most' if check.at_most else 'at least'} {check.need:.3g} are wanted"
        for check in option.checks if check.state == MISSED
    ]  # fmt: skip
    return f"{name(option)}: {', and '.join(missed)}"


def ways_out(option: Option, board: Board, budget: Budget) -> str:
    """What would have to change so that the nearest option meets the budget."""
    found = []
    missed = {check.what for check in option.checks if check.state == MISSED}
    fps = most_fps(board, option.way, option.mode, option.gate, budget)
    if "AP" in missed and option.ap:
        found.append(f"--ap {int(1000 * option.ap.value) / 1000:g}")
    if missed & {"FPS", "watts"} and budget.fps is not None and fps >= 0.1:
        found.append(f"--fps {_floor(fps)}")
    if "watts" in missed and "FPS" not in missed and budget.fps is not None:
        gate = most_gate(board, option.way, option.mode, budget)
        found += [f"--gate {int(100 * gate) / 100:g}, if no more of the frames has motion"] if gate >= 0.01 else []
    if "watts" in missed and budget.energy_j and budget.seconds and option.watts:
        found.append(f"--time {_floor(budget.energy_j / option.watts.value / 3600)}h")
    return " or ".join(found) or "measure a lighter engine or another power mode with edge-bench"


def name(option: Option) -> str:
    """The engine, the mode and the machine."""
    return ", ".join(filter(None, (str(option.way), option.mode, f"on {option.board}")))


def spread(figure: Optional[Estimate], digits: int = 2) -> str:
    """A figure and its interval."""
    if figure is None:
        return "n/a"
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"


def _cameras(budget: Budget) -> str:
    return "1 camera" if budget.cameras == 1 else f"each of {budget.cameras} cameras"


def _gate(option: Option) -> str:
    if option.gate == ALL:
        return "without a motion gate"
    return f"with --motion-gate, if at most {option.gate:.0%} of the frames are inferred"


def _lasts(watts: Estimate, budget: Budget) -> str:
    if not budget.energy_j:
        return ""
    ends = (watts.value, watts.high, watts.low)
    hours = [budget.energy_j / end / 3600 if end > 0 else float("inf") for end in ends]
    return "; {:.3g} Wh last {:.1f} h ({:.1f} to {:.1f})".format(budget.energy_j / 3600, *hours)


def _floor(value: float) -> str:
    """The number, cut to two figures behind the point, so that the limit is still met."""
    return f"{int(100 * value) / 100:g}"
