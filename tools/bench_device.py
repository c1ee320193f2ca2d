"""What the device's loop costs on the host for each frame, beside an earlier commit. It needs no GPU.

python tools/bench_device.py [--commit 3315b03] [--frames 100000]     # into tools/reference/bench_device.{json,md}

The driver is a stand-in on the host (tests/standins/libcuda.cpp), and graphs do nothing. Of the time of a frame, the
part of the driver's calls is measured alone. A real driver takes longer for the same calls.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from bench import report
from bench.checkouts import answer
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "bench_device.json"
FIRST = "3315b03"  # the last commit whose loop was Python
COLUMNS = ("tree", "picture", "driver alone, us", "frame, us", "beyond the driver, us", "p99, us",
           "p99 beside a busy thread, us", "the same, interval 0.5 ms", "Python blocks kept")  # fmt: skip


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit", default=FIRST, help="what to compare with")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    table = Table("Enqueue and wait of a frame", COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        trees = {f"commit {args.commit}": earlier(args.commit, Path(folder)), "this tree": ROOT}
        for _ in range(args.rounds):
            for name, tree in trees.items():
                add(table, name, answer(tree, "device_worker.py", str(args.frames)))
    table.rows.sort(key=lambda row: (row[0], row[1]))
    table.notes += [
        f"{args.frames} frames of 64x64 pixels, one slot; medians of a run, and {args.rounds} runs in turn.",
        "In place: the picture lies in memory of `Backend.allocate`. Copied: it lies elsewhere.",
        "A copy of more than 4 MiB would release the GIL.",
        "The earlier loop called stand-ins of Python, which are not measured alone.",
        "Busy: another thread runs pure Python. The interval is sys.getswitchinterval: 5 ms, and edge-detect's 0.5 ms.",
    ]
    print(table.markdown())
    report.save(TARGET, "The device's loop on the host", report.machine(), [table])
    return 0


def earlier(commit: str, folder: Path) -> Path:
    """The tree of a commit, with the core that is built here: what it calls has not changed."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    for core in (ROOT / "edge_runtime/native").glob("_core*.so"):
        (folder / "edge_runtime/native" / core.name).symlink_to(core)
    return folder


def add(table: Table, name: str, found: Dict[str, Any]) -> None:
    """A row for each kind of picture."""
    alone = found.pop("driver")
    for kind, got in found.items():
        table.data.append({"tree": name, "picture": kind, "driver": alone, **got})
        beyond = got["median"] - alone if alone else None
        figures = (alone or None, got["median"], beyond, got["p99"], got["beside 0.005"], got["beside 0.0005"])
        shown = ("n/a" if figure is None else f"{figure:.1f}" for figure in figures)
        table.rows.append((name, kind, *shown, str(got["blocks"])))


if __name__ == "__main__":
    sys.exit(main())
