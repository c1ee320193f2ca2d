"""edge-plan: which engine, power mode, rate and motion gate meet a budget, from results of edge-bench.

    edge-bench a.plan b.plan --power-modes 15W,30W --data voc2007/ -o bench.json
    edge-plan bench.json --energy 74Wh --time 12h --ap 0.3 --fps 10 --cameras 2
    edge-plan bench.json --watts 8 --fps 15 --gate 0.4

Nothing is measured. Only valid rows count. Between measured rates, watts are taken to lie on a line. An engine that was
not measured at a mode is predicted by the ratios of other engines. Each figure has an interval that should hold it in 9
of 10 cases, and what was not measured is named. The exit code is 1 if nothing meets the budget; the nearest miss is
said, and what would have to change.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from edge_runtime.benchmark import results
from edge_runtime.cli import _flags, _guard, _streams, _values
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._power import print_status
from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.planning import words
from edge_runtime.planning.board import Board, boards
from edge_runtime.planning.budget import Budget
from edge_runtime.planning.search import Option, Plan, search
from edge_runtime.text.escape import printable

ENERGY = {"wh": 3600.0, "kwh": 3.6e6, "j": 1.0, "kj": 1e3}
TIME = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
QUANTITY = fields.number(0, 1e12, above=True)  # joules, seconds
MOST_CAMERAS, SHOWN = 1000, 10
TOLD = 5  # lines about what could not be judged


def _quantity(units: Dict[str, float], like: str) -> Callable[[str], float]:
    """A `type=` for a number with a unit, in joules or seconds."""

    def value(text: str) -> float:
        found = re.fullmatch(r"\s*([\d.]+(?:e\d+)?)\s*([a-z]+)\s*", text.lower())
        try:
            number, unit = found.groups() if found else ("", "")
            return float(QUANTITY.take(float(number) * units[unit]))
        except (KeyError, ValueError) as error:
            raise argparse.ArgumentTypeError(f"{text[:60]!r} is not a quantity like {like}") from error

    return value


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    return _guard.guarded(_run, _parser().parse_args(argv))


def _parser() -> Parser:
    parser = Parser("edge-plan", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.json", help="results of edge-bench --output")
    group = parser.add_argument_group("the budget: at least one of them")
    group.add_argument(
        "--energy", type=_quantity(ENERGY, "74Wh or 250kJ"), metavar="74Wh", help="what the battery holds"
    )
    group.add_argument("--time", type=_quantity(TIME, "12h or 90min"), metavar="12h", help="how long it must last")
    group.add_argument("--watts", type=_values.watts, metavar="8W", help="mean watts of the machine, instead of both")
    group.add_argument("--ap", type=_values.fraction, metavar="0..1", help="least AP (coco_101, IoU 0.5 to 0.95)")
    group.add_argument(
        "--fps", type=_values.rate, metavar="N", help="frames per second of each camera; default: the most"
    )
    group = parser.add_argument_group("the place")
    group.add_argument("--cameras", type=_values.whole(1, MOST_CAMERAS), default=1, metavar="N", help="default 1")
    group.add_argument(
        "--gate", type=_values.fraction, metavar="0..1",
        help="part of the frames in which something moves: --motion-gate infers no others",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print everything as JSON on stdout")
    parser.add_argument("-v", "--verbose", action="store_true", help=_flags.VERBOSE)
    return parser


def _run(args: argparse.Namespace) -> int:
    budget = _budget(args)
    machines = boards([results.read_rows(path) for path in args.files])
    if not machines:
        raise UsageError("the results have no valid row", hint="edge-bench says why a row is not valid")
    plan = search(machines, budget)
    if args.json:
        print(json.dumps(_as_dict(plan)), flush=True)
    for line in plan.left_out[:TOLD]:
        print_status(f"left out: {line}")
    if len(plan.left_out) > TOLD:
        print_status(f"left out: {len(plan.left_out) - TOLD} more, all of them with --json")
    if not plan.options:
        raise _refusal(plan, machines, budget)
    if not args.json:
        _print(plan, machines, budget)
    return 0


def _budget(args: argparse.Namespace) -> Budget:
    if args.time is not None and args.energy is None:
        raise UsageError("--time without --energy", hint="say what the battery holds, --energy 74Wh, or --watts 8")
    if args.watts is not None and args.time is not None:
        raise UsageError("--watts and --time both limit the watts", hint="leave one of them out")
    if args.watts is None and args.energy is None and args.ap is None and args.fps is None:
        raise UsageError("no budget is given", hint="--energy 74Wh --time 12h, --watts 8, --fps 10, --ap 0.3")
    watts = args.energy / args.time if args.time is not None else args.watts
    return Budget(watts, args.energy, args.time, args.fps, args.cameras, args.ap, args.gate)


def _refusal(plan: Plan, machines: Sequence[Board], budget: Budget) -> UsageError:
    if not plan.misses:
        return UsageError("the results cannot say whether anything meets the budget", hint=plan.left_out[0])
    nearest = plan.misses[0]
    hint = words.ways_out(nearest, _board_of(nearest, machines), budget)
    return UsageError(f"nothing meets the budget; the nearest is {words.miss(nearest)}", hint=hint)


def _board_of(option: Option, machines: Sequence[Board]) -> Board:
    return next(board for board in machines if board.name == option.board)


def _print(plan: Plan, machines: Sequence[Board], budget: Budget) -> None:
    from rich.table import Table

    best = plan.options[0]
    for line in words.plan(best, budget, _board_of(best, machines).scopes):
        print(line)
    if len(plan.options) == 1:
        return
    several = len(machines) > 1
    table = Table(*(["machine"] if several else []), *words.COLUMNS, box=None, pad_edge=False)
    for option in plan.options[:SHOWN]:
        cells: List[str] = [*([option.board] if several else []), *words.row(option)]
        table.add_row(*map(printable, cells))
    print(f"\n{len(plan.options)} meet the budget:", flush=True)
    _streams.console(width=None if sys.stdout.isatty() else 160).print(table)


def _as_dict(plan: Plan) -> Dict[str, object]:
    return {
        "options": [option.to_dict() for option in plan.options],
        "misses": [option.to_dict() for option in plan.misses],
        "left_out": plan.left_out,
    }


if __name__ == "__main__":
    sys.exit(main())
