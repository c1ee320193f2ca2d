"""edge-doctor: what this machine has, what it lacks, and how to get it.

    edge-doctor
    edge-doctor --json

Exits with 0 where detection can run, 1 where something it needs is missing, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

from edge_runtime import __version__, plugins
from edge_runtime.cli import _checks as libraries
from edge_runtime.cli import _checks_machine as machine
from edge_runtime.cli._checks import Check
from edge_runtime.jetson import command

CORE = ("numpy", "native core", "OpenCV")
ALL: Tuple[Callable[[Path], Check], ...] = (
    libraries.python, libraries.numpy, libraries.native_core, libraries.onnxruntime, libraries.opencv,
    libraries.openvino, libraries.tensorrt, libraries.pycuda, libraries.kernel_compiler, libraries.gstreamer,
    machine.cuda_driver, machine.cuda_toolkit, machine.jetson_board, machine.jetpack, machine.cameras,
    machine.power_sensors,
)  # fmt: skip


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Prints the report and returns the exit code."""
    args = _parser().parse_args(argv)
    checks = [_run(check, Path(args.sysroot), args.verbose) for check in ALL]
    missing = missing_parts(checks)
    if args.json:
        print(json.dumps({"version": __version__, "ok": not missing, "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        print("\n".join(_lines(checks)))
    if missing:
        print(f"error: detection cannot run here without {', '.join(missing)}", file=sys.stderr)
        print("hint: the report above says how to get it", file=sys.stderr)
    return 1 if missing else 0


def missing_parts(checks: Sequence[Check]) -> List[str]:
    """Names of the parts without which nothing can be detected; any one backend is enough."""
    found = {check.name.lower() for check in checks if check.ok}
    missing = [name for name in CORE if name.lower() not in found]
    if not {"pycuda", "cuda driver"} <= found:
        found.discard("tensorrt")  # it builds plans, but does not run them
    return missing if found.intersection(plugins.names("backends")) else [*missing, "a backend"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "edge-doctor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the traceback of a check that breaks")
    command.add_root(parser)
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _run(check: Callable[[Path], Check], root: Path, verbose: bool) -> Check:
    """One finding; a check that breaks is a finding too, as the doctor must outlive what it examines."""
    try:
        return check(root)
    except Exception as error:
        if verbose:
            traceback.print_exc()
        return Check(
            check.__name__.replace("_", " "), False, f"the check broke: {error!r}", "edge-doctor -v says where"
        )


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
