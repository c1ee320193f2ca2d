#!/usr/bin/env python3
"""Rows of old libraries: installs edge-runtime by README's words on machines as users have them, and tests it there.

    python tools/rows.py jetpack5              # all tests
    python tools/rows.py jetpack5 --short      # those that meet the libraries
    python tools/rows.py jetpack5 --tests tests/sources
    python tools/rows.py --ci                  # those of the day: half of all tests on one, a short list on two
    python tools/rows.py --table               # writes tools/reference/rows.md

Environments are kept under .rows/ and made anew only where their versions, pyproject.toml or the C++ core have changed.
Exit code 1 where an installation or a test failed. A row whose Python is not here is passed over, and said so.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import List, Optional, Sequence, Tuple

from oldlibs import boxes, outcome
from oldlibs.environment import Environment, NoInterpreter, RowError
from oldlibs.machines import BY_NAME, MACHINES, Machine

DAY_S = 86400


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = _parser().parse_args(argv)
    if args.table:
        outcome.PAGE.write_text(outcome.page(), encoding="utf-8")
        return 0
    chosen: List[Machine] = [BY_NAME[name] for name in args.rows] if args.rows else list(MACHINES)
    whole = chosen
    if args.ci:  # tools/test.sh runs all tests with the newest
        day = int(time.time() // DAY_S)
        whole, chosen = of_day(day)
        args.half = of_round(day)
    # the newest comes first: the others' boxes are compared with its
    good = [run(m, args.short or m not in whole, args) for m in sorted(chosen, key=_is_old)]
    print(outcome.page())
    return int(not all(good))


def of_day(day: int) -> Tuple[List[Machine], List[Machine]]:
    """The rows of a day: those with all tests, and all of them. Each old one comes on two days that follow."""
    old = [machine for machine in MACHINES if _is_old(machine)]
    whole, short = old[day % len(old)], old[(day + 1) % len(old)]
    return [whole], [BY_NAME[outcome.NEWEST], whole, short]


def of_round(day: int) -> int:
    """Which half of all tests runs on the row of a day: the other one when the row's turn comes again."""
    return day // sum(map(_is_old, MACHINES)) % 2


def run(machine: Machine, short: bool, args: argparse.Namespace) -> bool:
    """One row from nothing to its result; whether nothing failed."""
    half = None if short else args.half
    words = "short list" if short else "all tests" if half is None else f"half {half + 1} of all tests"
    print(f"== {machine.name}: {machine.about}, {words}", flush=True)
    env = Environment(machine)
    try:
        env.make()
        state = env.state()
        print("\n".join(map(str, state["log"])), flush=True)
        outcome.save(machine.name, error="", **state)
        if not args.tests:
            outcome.save(machine.name, **boxes.collect(env))
    except NoInterpreter as error:
        print(f"passed over: {error}", flush=True)
        return True
    except RowError as error:
        print(f"error: {error}", flush=True)
        outcome.save(machine.name, error=str(error))
        return False
    tests = outcome.run_tests(env, short, args.jobs, args.tests or (() if half is None else outcome.half(half)))
    if not args.tests and half is None:
        outcome.save(machine.name, tests=tests)
    print("\n".join(f"failed: {name}" for name in tests["failed"]), flush=True)
    return not tests["failed"]


def _is_old(machine: Machine) -> bool:
    return machine.name != outcome.NEWEST


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "rows", nargs="*", choices=[[], *BY_NAME], metavar="ROW", help=f"default all: {', '.join(BY_NAME)}"
    )
    parser.add_argument("--short", action="store_true", help="only the tests that meet the libraries")
    parser.add_argument(
        "--tests", action="append", default=[], metavar="PATH", help="only these; the result is not kept"
    )
    parser.add_argument("--jobs", default="auto", metavar="N", help="pytest's processes, default one for each core")
    parser.add_argument("--ci", action="store_true", help="the rows of the day: one with half of all tests, two short")
    parser.set_defaults(half=None)
    parser.add_argument("--table", action="store_true", help=f"write {outcome.PAGE.relative_to(outcome.ROOT)}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
