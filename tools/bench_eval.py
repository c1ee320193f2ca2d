"""Does evaluation keep up with detection, and in how much memory? Both commands in turn over the same images.

python tools/bench_eval.py [--engine FILE] [--rounds 5]     # into tools/reference/bench_eval.{json,md}
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
from typing import List, Optional, Sequence, Tuple

from bench import report
from bench.report import Table

from edge_runtime import datasets

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "bench_eval.json"
COLUMNS = ("engine", "edge-detect FPS", "edge-eval FPS", "ratio", "wanted", "edge-eval peak RSS", "wanted ")
WANTED, WANTED_MIB = 0.9, 1024


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default=str(ROOT / "engines" / "yolo_nano_voc.onnx"))
    parser.add_argument("--data", default=str(ROOT.parent / "shared" / "data" / "voc2007"))
    parser.add_argument("--split", default="eval")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    data = datasets.open(args.data, args.split)
    with tempfile.TemporaryDirectory() as folder:
        for path in data.paths:
            os.symlink(Path(path).resolve(), Path(folder, Path(path).name))
        detect = ["detect", "--engine", args.engine, "--images", folder, "--json"]
        evaluate = ["eval", "--engine", args.engine, "--data", args.data, "--split", args.split, "--json"]
        runs = [(_run(detect), _run(evaluate)) for _ in range(args.rounds)]
    table = _table(Path(args.engine).name, len(data.paths), runs)
    print(table.markdown())
    report.save(TARGET, "Evaluation", report.machine(), [table])
    return 0


def _run(command: List[str]) -> Tuple[float, float]:
    """Images per second as the command counts them, and the most memory it held, MiB."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"edge_runtime.cli.{command[0]}", *command[1:]],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.WEXITSTATUS(status)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return json.loads(output)["fps"], usage.ru_maxrss / 1024


def _table(engine: str, images: int, runs: List[Tuple[Tuple[float, float], Tuple[float, float]]]) -> Table:
    table = Table("Evaluation beside detection", COLUMNS)
    detect, evaluate = (median(run[side][0] for run in runs) for side in (0, 1))
    ratio = median(ours[0] / theirs[0] for theirs, ours in runs)
    memory = max(ours[1] for _, ours in runs)
    verdicts = ("ok" if good else "MISSED" for good in (ratio >= WANTED, memory < WANTED_MIB))
    table.rows.append((engine, f"{detect:.1f}", f"{evaluate:.1f}", f"{ratio:.3f}", f"{WANTED} {next(verdicts)}",
                       f"{memory:.0f} MiB", f"{WANTED_MIB} MiB {next(verdicts)}"))  # fmt: skip
    table.data.append({"engine": engine, "detect_fps": detect, "eval_fps": evaluate, "ratio": ratio,
                       "eval_peak_mib": memory, "images": images, "rounds": len(runs)})  # fmt: skip
    table.notes.append(
        f"{images} images from their files, each command with its defaults (confidence 0.25, and 0.005 with several"
        f" classes per box), {len(runs)} rounds in turn: medians, the median of the rounds' ratios, the highest peak."
    )
    return table


if __name__ == "__main__":
    sys.exit(main())
