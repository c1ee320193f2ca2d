"""edge-detect's flags for the motion gate, and what it saved."""

from __future__ import annotations

import argparse
from typing import Any, Dict, List, Optional

from edge_runtime.cli._values import to_seconds, typed
from edge_runtime.energy.efficiency import RESOLVED
from edge_runtime.errors import UsageError
from edge_runtime.loop.gate import FIELDS, GateOptions

SECONDS = typed(FIELDS["every_s"], to_seconds)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags for the motion gate."""
    group = parser.add_argument_group("motion gate (off without --motion-gate)")
    about = "do not infer frames in which nothing moves; they repeat the boxes of the last frame that was inferred"
    group.add_argument("--motion-gate", action="store_true", help=about)
    group.add_argument(
        "--motion-every", type=SECONDS, metavar="SECONDS",
        help=f"without motion, still infer a frame so often, default {GateOptions.every_s:g}",
    )  # fmt: skip
    group.add_argument(
        "--motion-tail", type=SECONDS, metavar="SECONDS",
        help=f"infer all frames for so long after motion, default {GateOptions.tail_s:g}",
    )  # fmt: skip


def options(args: argparse.Namespace) -> Optional[GateOptions]:
    """The options that were typed; None without a gate.

    Raises:
        UsageError: times of a gate that is off.
    """
    given = {"every_s": args.motion_every, "tail_s": args.motion_tail}
    given = {name: value for name, value in given.items() if value is not None}
    if args.motion_gate:
        return GateOptions(**given)
    if given:
        raise UsageError("times for a motion gate that is off", hint="add --motion-gate")
    return None


def add_saved(summary: Dict[str, Any]) -> None:
    """Adds `saved_joules` to the counts of the gate and of each stream: None if nothing was measured."""
    each = _joules_of_a_frame(summary)
    for counted in (summary["motion_gate"], *summary.get("streams", {}).values()):
        counted["saved_joules"] = None if each is None else round(each * counted["gated"], 3)


def _joules_of_a_frame(summary: Dict[str, Any]) -> Optional[float]:
    """The joules of a frame that was inferred.

    Only watts above idle count, because the machine takes the others anyway. None if they are not known.
    """
    gate, power = summary["motion_gate"], summary["power"]
    mean_w, idle_w = power.get("mean_w"), power.get("idle_w")
    if mean_w is None or idle_w is None or mean_w - idle_w <= RESOLVED * mean_w or not gate["inferred"]:
        return None
    return float((mean_w - idle_w) * power["seconds"] / gate["inferred"])


def lines(summary: Dict[str, Any]) -> List[str]:
    """What the summary says of the gate."""
    gate = summary.get("motion_gate")
    if gate is None:
        return []
    joules = gate.get("saved_joules")
    energy = "" if joules is None else f", {joules:.1f} J saved"
    return [f"motion gate: {gate['gated']} of {gate['gated'] + gate['inferred']} frames not inferred{energy}"]
