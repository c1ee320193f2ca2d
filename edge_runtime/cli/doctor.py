"""edge-doctor: what this machine has, what it lacks, and how to get it.

    edge-doctor
    edge-doctor --json
    edge-doctor --prove -o proof.json     # tries everything, five minutes; one file to send back
    edge-doctor --read proof.json
    edge-doctor --record board.json       # for --sysroot board.json

Exits with 0 where detection can run, 1 where something it needs is missing, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import List, Optional, Sequence

from edge_runtime import __version__, doctor
from edge_runtime.cli import _prove
from edge_runtime.doctor.check import Check
from edge_runtime.jetson import command


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Prints the report and returns the exit code."""
    args = _parser().parse_args(argv)
    if _prove.asked(args):
        return _prove.main(args)
    checks = [doctor.run(check, Path(args.sysroot), args.verbose) for check in doctor.ALL]
    missing = doctor.missing_parts(checks)
    if args.json:
        print(json.dumps({"version": __version__, "ok": not missing, "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        print("\n".join(_lines(checks)))
    if missing:
        print(f"error: detection cannot run here without {', '.join(missing)}", file=sys.stderr)
        print("hint: the report above says how to get it", file=sys.stderr)
    return 1 if missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "edge-doctor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the traceback of a check that breaks")
    _prove.add_flags(parser)
    command.add_root(parser)
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _lines(checks: Sequence[Check]) -> List[str]:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{'ok' if check.ok else '--'}  {check.name:{width}}  {check.detail}")
        if check.fix:
            lines.append(textwrap.indent(f"-> {check.fix}", " " * (width + 6)))
    return lines


if __name__ == "__main__":
    sys.exit(main())
