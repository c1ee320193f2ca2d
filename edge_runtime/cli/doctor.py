"""edge-doctor: says what this machine has, what is missing, and how to get it.

    edge-doctor
    edge-doctor --json
    edge-doctor --prove -o proof.json     # tries everything, five minutes; one file to send back
    edge-doctor --read proof.json
    edge-doctor --record board.json       # for --sysroot board.json

Each library does one small piece of its work, in its own process. Building for a GPU may take a minute.

The exit code is 0 if detection can run, 1 if something that it needs is missing, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import List, Optional, Sequence

from edge_runtime import __version__, doctor
from edge_runtime.cli import _guard, _prove, _streams, jetson
from edge_runtime.cli._parser import Parser
from edge_runtime.doctor.check import Check

WIDTH = len("power sensors")  # length of the longest name


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Prints the report and returns the exit code."""
    args = _parser().parse_args(argv)
    return _guard.guarded(_prove.main if _prove.asked(args) else _examine, args)


def _examine(args: argparse.Namespace) -> int:
    checks = []
    for check in doctor.examine(Path(args.sysroot), args.verbose, args.quick):
        checks.append(check)
        if not args.json and (args.verbose or not check.absent):
            print("\n".join(_lines(check)), flush=True)
    missing = doctor.missing_parts(checks)
    if args.json:
        print(json.dumps({"version": __version__, "ok": not missing, "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        for line in _end(checks, args.verbose):
            print(line)
    if missing:
        print(f"error: detection cannot run here without {', '.join(missing)}", file=sys.stderr)
        print("hint: the report above says how to get it", file=sys.stderr)
    return 1 if missing else 0


def _parser() -> Parser:
    parser = Parser("edge-doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quick", action="store_true", help="only load the libraries, do not run them")
    parser.add_argument("-v", "--verbose", action="store_true", help="also what is not needed here, and tracebacks")
    _prove.add_flags(parser)
    jetson.add_root(parser)
    return parser


def _lines(check: Check) -> List[str]:
    """Prints a result, and what to do about it."""
    fix = [f"{'':{WIDTH + 6}}-> {check.fix}"] if check.fix else []
    return [f"{'ok' if check.ok else '--'}  {check.name:{WIDTH}}  {check.detail}", *fix]


def _end(checks: Sequence[Check], verbose: bool) -> List[str]:
    """Prints what is not here, in one line, and the verdict."""
    absent = [check.name for check in checks if check.absent]
    lines = [] if verbose or not absent else [f"--  {'not here':{WIDTH}}  {', '.join(absent)} (-v says more)"]
    runs = doctor.backends(checks) if not doctor.missing_parts(checks) else []
    return [*lines, f"detection can run here, with {' or '.join(runs)}"] if runs else lines


if __name__ == "__main__":
    sys.exit(main())
