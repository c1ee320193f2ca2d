"""How often the threads of the block meet while they suppress, beside an earlier commit, with the same rows to the bit.

python tools/suppression_rounds.py [--commit 4ef2532]     # into tools/reference/suppression_rounds.{json,md}

The kernels run on the host, with the device's 1,024 threads of a block. A round ends where all of them meet: the counts
are exact and the same on every machine. It says nothing about time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple

from bench import report
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.native import crowds, kernels  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "suppression_rounds.json"
CSRC = "edge_runtime/native/csrc"
FIRST = "4ef2532"  # the last commit that kept one box a round
COUNTS, DEVICE, WARP, IOU, MOST = (300, 640, 1024, 1025, 8400, 30_000), 1024, 32, 0.45, 300
SCENES = (("anywhere", 80), ("of few scores", 80), ("of one score", 80), ("of objects", 1), ("of objects in turn", 1))


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit", default=FIRST, help="what to compare with")
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS, help="candidates of an image")
    args = parser.parse_args(argv)
    columns = ("boxes", "classes", "candidates", "kept", "rounds before", "rounds", "times fewer")
    table = Table("Rounds of the block", columns)
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(earlier(args.commit, Path(folder)), args.counts):
            table.data.append(dict(zip(columns, row)))
            table.rows.append([f"{value:.1f}" if isinstance(value, float) else str(value) for value in row])
    table.notes.append(f"Before: commit {args.commit}. IoU {IOU}, at most {MOST} boxes; every row is equal to the bit.")
    table.notes.append(
        "Objects in turn, the worst case: all boxes of one object have a higher score than those of the next."
    )
    print(table.markdown())
    report.save(TARGET, "What suppression costs on the GPU", report.machine(), [table])
    return 0


def earlier(commit: str, folder: Path) -> Path:
    """The C++ sources of a commit."""
    archive = subprocess.run(["git", "archive", commit, CSRC], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / CSRC


def rows(before: Path, counts: Sequence[int]) -> Iterator[Tuple[object, ...]]:
    """One row of the table after the other. Stops where the results are not the same."""
    for kind, classes in SCENES:
        for count in counts:
            given = crowds.crowd(kind, count, classes)
            found, rounds = crowds.suppressed(given, IOU, MOST, threads=DEVICE)
            # The rounds of the first one do not depend on the threads, and so many rounds of 1,024 take minutes.
            first, earlier_rounds = crowds.suppressed(given, IOU, MOST, threads=WARP, library=kernels.library(before))
            if found.tobytes() != first.tobytes():
                raise SystemExit(f"error: {count} candidates {kind}: the rows are not those of before")
            kept = len(crowds.kept(given, IOU, MOST))
            yield kind, classes, count, kept, earlier_rounds, rounds, earlier_rounds / rounds


if __name__ == "__main__":
    sys.exit(main())
