"""CPU milliseconds for each frame of a video, decoded and prepared for a model, beside another checkout in turns.

    git clone . ../before && (cd ../before && git checkout -q COMMIT && python setup.py build_ext --inplace)
    python tools/bench_frames.py --other ../before     # into tools/reference/bench_frames.{json,md}

Each turn is a process that reads the file to its end. The time is that of all its threads.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Dict, List, Optional, Sequence, Tuple

from bench import clip, report
from bench.checkouts import answer
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "bench_frames.json"
CASES = (("h264", (1280, 720), 416), ("h264", (1920, 1080), 640), ("mjpeg", (1920, 1080), 640))
GOAL = 0.72  # of h264
PARTS = ("both", "reading")
COLUMNS = ("video", "model", "ms, this tree", "ms, {}", "times", "reading alone, times", "wanted")


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, metavar="DIR", help="a checkout, its core compiled")
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args(argv)
    trees = (ROOT, args.other.resolve())
    other = report.commit(args.other)
    table = Table("Decoding and preprocessing", [column.format(other) for column in COLUMNS])
    with tempfile.TemporaryDirectory() as folder:
        for codec, size_wh, side in CASES:
            path = Path(folder, f"{codec}-{size_wh[1]}.{'mp4' if codec == 'h264' else 'avi'}")
            clip.encode_as(path, codec, size_wh)
            found: List[Tuple[Dict[str, float], ...]] = []
            for _ in range(args.turns):
                found.append(tuple(answer(tree, "frames_worker.py", str(path), str(side)) for tree in trees))
            add(table, codec, size_wh, side, found)
    table.notes += [
        f"CPU milliseconds of all threads for each frame: medians of {args.turns} turns, ratios within a turn.",
        "The first pass of each process over the file is not counted. Reading alone: without the preparation.",
    ]
    print(table.markdown())
    report.save(TARGET, "From a video to the network's input", report.machine(), [table])
    return 0


def add(
    table: Table, codec: str, size_wh: Tuple[int, int], side: int, found: Sequence[Tuple[Dict[str, float], ...]]
) -> None:
    """A row of one video."""
    ours, theirs = (median(turn[k]["both"] for turn in found) for k in (0, 1))
    times = {part: median(mine[part] / other[part] for mine, other in found) for part in PARTS}
    wanted = f"{GOAL} {'ok' if times['both'] <= GOAL else 'MISSED'}" if codec == "h264" else ""
    shown = (f"{ours:.2f}", f"{theirs:.2f}", *(f"{times[part]:.2f}" for part in PARTS))
    table.rows.append((f"{codec} {size_wh[0]}x{size_wh[1]}", f"{side}x{side}", *shown, wanted))
    table.data.append({"codec": codec, "size_wh": size_wh, "side": side, "times": times, "turns": found})
    print(*table.rows[-1], flush=True)


if __name__ == "__main__":
    sys.exit(main())
