"""edge-power: the board's power modes, and the watts that it draws.

    edge-power [--json]                  # board, modes, clocks, rails, temperatures, load
    edge-power set 15W                   # never reboots; checks that the mode is set
    edge-power set 15W --dry-run         # what would be done: a reboot or not, caps; needs no root
    edge-power restore                   # puts back what a killed run left

Give a mode by its name, a part of the name (15W, MODE_15W, MAXN) or its ID. A mode caps clocks, not watts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from edge_runtime import power
from edge_runtime.cli import _flags, _guard, _streams, jetson
from edge_runtime.cli._parser import Parser
from edge_runtime.errors import BoardError, SourceError
from edge_runtime.jetson import board, caps, hold, nvpmodel
from edge_runtime.jetson.probe import Probe

NO_WATTS = "{} says no watts: a file cannot be read, or a counter stands still"
COUNTING_S = 0.5  # time between two readings, which counters of joules need


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    args = _parser().parse_args(argv)
    return _guard.guarded(jetson.run if args.command else _show, args)


def _parser() -> Parser:
    parser = Parser("edge-power", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--meter", default="", metavar="NAME[:FILE]", help=_flags.METER_HELP)
    parser.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    jetson.add_root(parser)
    commands = parser.add_subparsers(dest="command", metavar="set|restore")
    jetson.add(commands)
    return parser


def _show(args: argparse.Namespace) -> int:
    status = {**_board(Path(args.sysroot)), **_watts(Path(args.sysroot), args.meter)}
    print(json.dumps(status) if args.json else "\n".join(_lines(status)))
    return 0


def _board(root: Path) -> Dict[str, Any]:
    probe = Probe(root)
    release = board.l4t(root)
    about = {
        "board": board.model(root),
        "name": board.name(root),
        "soc": board.soc(root),
        "l4t": release,
        "jetpack": board.jetpack_version(release),
    }
    found: Dict[str, Any] = {key: text or None for key, text in about.items()}
    clocks = {"jetson_clocks": probe.locked, "gpu_limit_mhz": probe.gpu_limit_mhz}
    return {**found, "described": board.describe(root), **_modes(root), **probe.read().to_dict(), **clocks}


def _modes(root: Path) -> Dict[str, Any]:
    """The modes and their state. `reboot` has the IDs that need one, `caps_differ` the caps that are not set."""
    try:
        conf = nvpmodel.load_conf(root)
    except BoardError as error:
        return {"mode": None, "modes": [], "modes_reason": str(error)}
    mode, held = nvpmodel.current(root, conf), hold.mode_held(root)
    found = caps.compare_caps(root, conf, mode) if mode else None
    return {
        "mode": mode.name if mode else None,
        "nominal_w": mode.nominal_w if mode else None,
        "modes": [{"id": each.id, "name": each.name} for each in conf.modes],
        "reboot": [each.id for each in conf.modes if nvpmodel.reboot_reason(root, conf, each)],
        "caps_verified": bool(found and found.verified),
        "caps_differ": list(found.differing) if found else [],
        "left_behind": held.mode if held and not held.alive else None,
    }


def _watts(root: Path, named: str) -> Dict[str, Any]:
    try:
        meter = power.open(root, named)
    except SourceError as error:
        if named:
            raise
        why = "; ".join(f"{name}: {reason}" for name, reason in power.reasons(root).items())
        return {"rails_w": {}, "total_w": None, "total_rail": None, "scope": None, "power_reason": f"{error} ({why})"}
    whole = power.total_of(meter.rails)
    rails = meter.read_w()
    if whole.watts(rails) is None:
        time.sleep(COUNTING_S)
        rails = meter.read_w()
    meter.close()
    total = whole.watts(rails)
    return {
        "rails_w": {name: round(watts, 3) for name, watts in rails.items()},
        "total_w": None if total is None else round(total, 3),
        "total_rail": whole.name,
        "scope": whole.scope,
        "meter": meter.name,
    }


def _lines(status: Dict[str, Any]) -> List[str]:
    release = f", JetPack {status['jetpack'] or 'unknown'} (Jetson Linux {status['l4t']})" if status["l4t"] else ""
    clocks = [f"{name} {value:g}" for name, value in status["clocks"].items()]
    temperatures = [f"{name} {celsius:.1f}" for name, celsius in status["temperatures_c"].items()]
    lines = [
        f"board         {status['described']}{release}",
        *_mode_lines(status),
        f"clocks        {', '.join(clocks) or 'n/a'}{', held by jetson_clocks' if status['jetson_clocks'] else ''}",
        f"GPU load      {'n/a' if status['gpu_load'] is None else '{:g} %'.format(status['gpu_load'])}",
        f"temperatures  {', '.join(temperatures) + ' °C' if temperatures else 'n/a'}",
        *_throttle_lines(status),
    ]
    if status["total_w"] is None:
        return [*lines, f"power         n/a: {status.get('power_reason') or NO_WATTS.format(status['total_rail'])}"]
    rails = ", ".join(f"{name} {watts:.3f}" for name, watts in status["rails_w"].items())
    return [*lines, f"power         {status['total_w']:.3f} W ({status['total_rail']}, {status['scope']}): {rails}"]


def _throttle_lines(status: Dict[str, Any]) -> List[str]:
    """What is limited now, without the events counted since boot."""
    counted = dict(status["throttle"])
    cooling, limit = counted.pop("cooling", 0), status["gpu_limit_mhz"]
    events = ", ".join(f"{name.replace('_', '-')} {count}" for name, count in counted.items() if count)
    now = [f"{cooling} cooling device{'s' if cooling > 1 else ''} at work"] if cooling else []
    if limit:
        now.append(f"the firmware holds the GPU at {limit:g} MHz, its cap is {status['clocks']['gpu_max_mhz']:g} MHz")
    return [
        *([f"held back now {'; '.join(now)}"] if now else []),
        *([f"since boot    {events}"] if events else []),
    ]


def _mode_lines(status: Dict[str, Any]) -> List[str]:
    if not status["modes"]:
        return [f"mode          n/a: {status['modes_reason']}"]
    names = [f"{each['id']} {_named(each['name'])}{'*' if each['id'] in status['reboot'] else ''}"
             for each in status["modes"]]  # fmt: skip
    caps_said = "its caps are set" if status["caps_verified"] else "its caps cannot be read"
    lines = [f"mode          {status['mode'] or 'unknown'}, {caps_said if not status['caps_differ'] else 'but:'}"]
    lines += [f"              {line}" for line in status["caps_differ"]]
    lines.append(f"modes         {', '.join(names)}{'   (* needs a reboot)' if status['reboot'] else ''}")
    if status["left_behind"]:
        lines.append(f"left behind   {status['left_behind']}, by a run that was killed: edge-power restore")
    return lines


def _named(mode: str) -> str:
    """A mode's name, with its watts if the name does not show them clearly: MODE_28_1_W (28.1 W)."""
    watts = nvpmodel.watts_of(mode)
    return mode if watts is None or f"{watts:g}W" in mode.upper() else f"{mode} ({watts:g} W)"


if __name__ == "__main__":
    sys.exit(main())
