"""Shared parts of edge-detect and edge-bench: flags for power, modes held during a run, idle watts before it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from edge_runtime import power as meters
from edge_runtime.cli import _flags, _values, jetson
from edge_runtime.energy.efficiency import Conditions
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import BoardError, SourceError, UsageError
from edge_runtime.jetson import caps, hold, nvpmodel, switch
from edge_runtime.jetson.hold import Hold
from edge_runtime.power.replay import ReplayMeter
from edge_runtime.text.escape import printable

COVERED = 0.95  # least coverage of a run without a remark


def add_flags(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the flags of both commands, and returns their group."""
    group = parser.add_argument_group("power")
    group.add_argument("--jetson-clocks", action="store_true", help="hold all clocks at the caps of the mode")
    group.add_argument(
        "--settle",
        type=_values.seconds,
        default=switch.SETTLE_S,
        metavar="SECONDS",
        help="time to wait after a switch of modes",
    )
    group.add_argument(
        "--idle",
        type=_values.seconds,
        default=3.0,
        metavar="SECONDS",
        help="time to measure idle watts before the run, default 3",
    )
    group.add_argument("--meter", default="", metavar="NAME[:FILE]", help=_flags.METER_HELP)
    jetson.add_root(group)
    return group


def put_back(args: argparse.Namespace, root: Path, needed: bool) -> None:
    """Puts back the power mode that a killed run left, and says so.

    Args:
        needed: whether this run sets modes itself, so that it cannot go on after a failure.

    Raises:
        BoardError: the mode could not be put back, and `needed` is set.
        UsageError: clocks must be held, but no mode is set, so their caps are unknown.
    """
    _refuse_clocks_alone(args, needed)
    try:
        said = hold.recover(root)
    except BoardError as error:
        if needed:
            raise
        said = f"a run that was killed has left another power mode behind, and it stays: {error}"
    if said:
        print_status(f"note: {said}")


def check(args: argparse.Namespace, modes: Sequence[str]) -> str:
    """Refuses modes and clocks that the start would refuse. Nothing is set or put back.

    Args:
        modes: those that the run sets, the first at its start.

    Returns:
        Who holds a mode just now, so that no other can be set; "" for nobody.

    Raises:
        BoardError, UsageError: see `put_back` and `Hold.set`.
    """
    _refuse_clocks_alone(args, bool(modes))
    if not modes:
        return ""
    root = Path(args.sysroot)
    would = Hold(root, jetson_clocks=args.jetson_clocks)
    would.refuse_unknown(modes)
    would.check(modes[0])
    try:
        hold.mode_held_by(root, os.getpid())
    except BoardError as error:
        return str(error)
    return ""


def _refuse_clocks_alone(args: argparse.Namespace, modes: bool) -> None:
    if args.jetson_clocks and not modes:
        raise UsageError("--jetson-clocks goes with a power mode", hint="say which, with --power-mode or --power-modes")


def hold_modes(stack: ExitStack, args: argparse.Namespace, root: Path) -> Hold:
    """Holds power modes until the stack ends, also after an error."""
    return stack.enter_context(Hold(root, jetson_clocks=args.jetson_clocks, settle_s=args.settle))


def conditions(root: Path, sampler: Sampler, idle_s: float) -> Conditions:
    """The present mode, whether its caps are set, and the watts of the machine before the work begins."""
    try:
        conf = nvpmodel.load_conf(root)
    except BoardError:
        return Conditions(idle_w=_idle_w(sampler, idle_s))
    mode = nvpmodel.current(root, conf)
    verified = bool(mode and caps.compare_caps(root, conf, mode).verified)
    return Conditions(mode, verified, _idle_w(sampler, idle_s))


def _idle_w(sampler: Sampler, seconds: float) -> Optional[float]:
    if sampler.meter is None or sampler.recorded or seconds <= 0:
        return None
    span = sampler.begin()
    time.sleep(seconds)
    return sampler.end(span).energy.mean_w


def say_trace(root: Path, sampler: Sampler, mode: Optional[str]) -> None:
    """Prints that the watts are those of a recorded trace, and whether it does not fit this board or its mode."""
    meter = sampler.meter
    if not isinstance(meter, ReplayMeter):
        return
    print_status(f"note: watts are played from a trace: {', '.join(meter.rails)}, mode {', '.join(meter.modes) or '?'}")
    if mode and meter.modes and meter.modes != [mode]:
        print_status(f"note: this board is in mode {mode}, the trace was recorded in {', '.join(meter.modes)}")
    try:
        with closing(meters.open(root)) as own:
            other = sorted(set(own.rails) - set(meter.rails))
    except SourceError:
        return
    if other:
        print_status(f"note: this board has other rails, {', '.join(other)}: the trace is of another board")


def lines(power: Dict[str, Any]) -> List[str]:
    """The last lines of a summary, for people."""
    if "reason" in power:
        return [f"power: n/a, {power['reason']}"]
    unlike = "" if power.get("caps_verified") else " (its caps could not be verified)"
    mode = f", mode {power['mode']}{unlike}" if power["mode"] else ""
    found = [
        f"power: {_n(power['mean_w'], 'W', 2)} mean of {power['rail']} ({power['scope']}){mode}",
        f"  {_n(power['fps_per_watt'], 'FPS/W', 2)} measured, {_n(power['fps_per_watt_nominal'], 'nominal', 2)}, "
        f"{_n(power['fps_per_watt_above_idle'], 'above idle', 2)}; {_n(power['joules_per_frame'], 'J per frame', 3)}",
    ]
    if power["coverage"] < COVERED or power["gaps"]:
        found.append(f"  {power['coverage']:.1%} of the time was measured, {power['gaps']} gaps")
    throttled = [f"{name.replace('_', '-')} {count}" for name, count in power["throttle"].items() if count]
    if throttled:
        found.append(f"  throttled in this run: {', '.join(throttled).replace('cooling', 'cooling devices')}")
    if power["paper"]:
        row = "{model} on {board}, {mode}: {fps} FPS, {fps_per_watt} FPS/W"
        found.append(f"  published: {row.format(**power['paper'])}")
    return found


def _n(value: Optional[float], unit: str, digits: int) -> str:
    return f"{unit} n/a" if value is None else f"{value:.{digits}f} {unit}"


def print_status(line: str) -> None:
    """Prints on stderr, like logs."""
    print(printable(line), file=sys.stderr, flush=True)
