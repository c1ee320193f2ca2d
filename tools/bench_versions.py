"""Compares the pipeline of this checkout with that of another one, run in turn on the same machine.

    git worktree add ../before HEAD~20 && (cd ../before && python setup.py build_ext --inplace)
    python tools/bench_versions.py ../before [--times 3] [bench_host's flags]

Each turn is `tools/bench_host.py pipeline`. The ratios are this checkout's figures over the other's, medians of the
turns; tools/reference/bench_versions.{json,md} keep them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, Sequence, Tuple

from bench import report
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tools" / "reference" / "bench_versions.json"
FIGURES = ("fps", "cpu_ms", "latency_p50")
Case = Tuple[str, str, int]


def main(argv: Sequence[str]) -> int:
    """Runs the comparison and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout, its native core compiled")
    parser.add_argument("--times", type=int, default=3, help="turns of each")
    args, flags = parser.parse_known_args(argv)
    found: Dict[Path, List[Dict[Case, Dict[str, float]]]] = {ROOT: [], args.other.resolve(): []}
    for turn in range(args.times):
        for checkout in sorted(found, reverse=bool(turn % 2)):
            print(f"turn {turn + 1} of {args.times}: {report.commit(checkout)}", flush=True)
            found[checkout].append(_measure(checkout, flags))
    words = " ".join(Path(flag).name for flag in flags)  # a folder of this machine says nothing elsewhere
    conditions = {**report.machine(), "command": f"tools/bench_host.py pipeline {words}", "turns": args.times}
    commits = (report.commit(ROOT), report.commit(args.other))
    table = _compare(found[ROOT], found[args.other.resolve()], commits)
    report.save(REFERENCE, "Two versions of the pipeline", conditions, [table])
    return 0


def _measure(checkout: Path, flags: Sequence[str]) -> Dict[Case, Dict[str, float]]:
    """Medians of one turn, by model, backend and threads."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "found.json")
        shared = ["--shared", str(ROOT.parent / "shared")]
        command = [sys.executable, "tools/bench_host.py", "pipeline", *shared, "--json", str(target), *flags]
        environ = {**os.environ, "PYTHONPATH": str(checkout)}
        subprocess.run(command, cwd=checkout, env=environ, check=True, stdout=subprocess.DEVNULL)
        rows: List[Dict[str, Any]] = json.loads(target.read_text(encoding="utf-8"))["sections"][
            "End to end, 720p file"
        ]["rows"]
    return {
        (row["model"], row["backend"].split(" ")[0], row["threads"]): {
            **{name: median(window[name] for window in row["pipeline"]) for name in FIGURES},
            "of_raw": row["of_raw"],
        }
        for row in rows
    }


def _compare(
    new: Sequence[Dict[Case, Dict[str, float]]], old: Sequence[Dict[Case, Dict[str, float]]], commits: Tuple[str, str]
) -> Table:
    names = (*FIGURES, "of_raw")
    table = Table(f"{commits[0]} over {commits[1]}", ("model", "backend", "threads", *names))
    for case in new[0]:
        ratios = {
            name: median(turn[case][name] for turn in new) / median(turn[case][name] for turn in old) for name in names
        }
        table.rows.append((case[0], case[1], str(case[2]), *(f"{ratios[name]:.3f}" for name in names)))
        turns = {"new": [turn[case] for turn in new], "old": [turn[case] for turn in old]}
        table.data.append({"model": case[0], "backend": case[1], "threads": case[2], **ratios, **turns})
    table.notes.append("fps: more is better; cpu_ms per frame and latency_p50: less. of_raw: FPS over inference alone.")
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
