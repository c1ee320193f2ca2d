"""Many sources and one engine: throughput of N together beside one, shares of each, and batches across sources.

    python tools/bench_many.py     # into tools/reference/bench_many.{json,md}

Each run of several sources stands between two runs of one, so that a slow change of the machine meets both alike.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from bench import clip, report
from bench.report import Table

from edge_runtime import Detector, Pipeline
from edge_runtime.backends import BackendOptions
from edge_runtime.sources import SourceOptions

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "bench_many.json"
ENGINE = str(ROOT / "engines" / "yolo_nano_voc_int8.onnx")
NUMBERS, BATCHES = (1, 2, 4, 8), (1, 2, 4)
FAST, TOGETHER, SHARE = "synthetic://1280x720", 0.93, 0.9
MIXES = {
    "a file and three cameras of 10 fps": (FAST, *["synthetic://640x480@10"] * 3),
    "a camera of 60 fps and three of 5 fps": ("synthetic://1280x720@60", *["synthetic://640x480@5"] * 3),
    "a camera of 60 fps and three of 30 fps": ("synthetic://1280x720@60", *["synthetic://640x480@30"] * 3),
}
COLUMNS = ("sources", "fps together", "times one alone", "95 %", "wanted", "least share", "wanted")
Counts = List[List[int]]


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run")
    parser.add_argument("--only", choices=("together", "files", "shares", "batches"), help="a table, not written")
    args = parser.parse_args(argv)
    conditions = report.machine()
    with tempfile.TemporaryDirectory() as folder:
        video = str(Path(folder, "demo.mp4"))
        clip.encode(Path(video))
        measured = {
            "together": lambda: together("Generated frames, 1280x720", FAST, args),
            "files": lambda: together("Video files, 1280x720", video, args),
            "shares": lambda: shares(args),
            "batches": lambda: batches(args),
        }
        tables = [measure() for name, measure in measured.items() if args.only in (None, name)]
    note = (
        f"{args.turns} turns of {args.seconds:g} s each; load average of the machine before: {conditions['load'][0]}."
    )
    for table in tables:
        table.notes.append(note)
        print(table.markdown())
    if not args.only:
        report.save(TARGET, "Many sources, one engine", conditions, tables)
    return 0


def ran(sources: Sequence[str], seconds: float, options: BackendOptions) -> Tuple[float, Counts]:
    """Frames per second of all, and the frames of each source in each second (sources in columns)."""
    counts: Counts = []
    with Detector.open(ENGINE, options=options) as detector:
        pipeline = Pipeline(detector, list(sources), duration_s=seconds + 1, source_options=SourceOptions(loop=True))
        due_s = 0.0

        def tick() -> None:
            nonlocal due_s
            now_s = time.monotonic()
            if pipeline.monitor.frames and now_s >= due_s:
                due_s = now_s + 0.99
                counts.append([each["frames"] for each in pipeline.summary()["streams"].values()])

        summary = pipeline.run(tick)
    found = [[b - a for a, b in zip(before, after)] for before, after in zip(counts, counts[1:])]
    return float(summary["fps"]), found


def together(title: str, source: str, args: argparse.Namespace) -> Table:
    """Throughput and shares of equal sources that never wait."""
    table = Table(title, COLUMNS)
    found: Dict[int, List[Tuple[float, Counts]]] = {number: [] for number in NUMBERS}
    ratios: Dict[int, List[float]] = {number: [] for number in NUMBERS}
    before = ran([source], args.seconds, BackendOptions())
    for _ in range(args.turns):
        for number in NUMBERS:
            together = ran([source] * number, args.seconds, BackendOptions())
            after = ran([source], args.seconds, BackendOptions())
            found[number].append(together)
            ratios[number].append(2 * together[0] / (before[0] + after[0]))
            before = after
    for number, turns in found.items():
        fps, times = (median(values) for values in ([turn[0] for turn in turns], ratios[number]))
        low, high = spread(ratios[number])
        least = min(min(share) for share in (_sums(turn[1]) for turn in turns))
        row = (
            str(number),
            f"{fps:.1f}",
            f"{times:.3f}",
            f"{low:.3f} to {high:.3f}",
            _verdict(times, TOGETHER),
            f"{least:.3f}",
            _verdict(least, SHARE),
        )
        data = {"sources": number, "fps": fps, "times": times, "interval": [low, high], "least_share": least}
        _add(table, row, data)
    table.notes.append(
        "A share is the frames of a source beside the mean of all. Times: medians of the ratios to the runs of one "
        "source before and after. 95 %: of such medians of random samples of the turns. The row of 1 shows the noise."
    )
    return table


def spread(values: Sequence[float]) -> Tuple[float, float]:
    """The interval that holds 95 % of the medians of random samples of the values (bootstrap)."""
    draws = np.random.default_rng(0).choice(np.asarray(values), (1000, len(values)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(low), float(high)


def _sums(counts: Counts) -> List[float]:
    sums = [sum(column) for column in zip(*counts)]
    return [each * len(sums) / sum(sums) for each in sums]


def shares(args: argparse.Namespace) -> Table:
    """Whether slow cameras get their frames beside a fast source."""
    table = Table("Fast and slow sources", ("sources", "fps of each", "least share", "wanted"))
    for name, sources in MIXES.items():
        rates = [float(source.partition("@")[2] or "inf") for source in sources]
        got = [0.0] * len(sources)
        due = [0.0] * len(sources)
        seconds = 0
        for _ in range(args.turns):
            for second in ran(sources, args.seconds, BackendOptions())[1]:
                seconds += 1
                got = [a + b for a, b in zip(got, second)]
                due = [a + b for a, b in zip(due, fair(rates, sum(second)))]
        least = min(a / b for a, b in zip(got, due))
        shown = ", ".join(f"{count / seconds:.1f}" for count in got)
        _add(table, (name, shown, f"{least:.3f}", _verdict(least, SHARE)), {"sources": name, "least_share": least})
    table.notes.append(
        "A share is what a source got beside its max-min fair part of the frames of each second: equal parts, and what "
        "a slow camera does not need goes to the others."
    )
    return table


def fair(rates: Sequence[float], capacity: float) -> List[float]:
    """The max-min fair parts of a capacity."""
    parts, left = [0.0] * len(rates), capacity
    for done, place in enumerate(sorted(range(len(rates)), key=lambda place: rates[place])):
        parts[place] = min(rates[place], left / (len(rates) - done))
        left -= parts[place]
    return parts


def batches(args: argparse.Namespace) -> Table:
    """Four sources through batches. The network is opened for them."""
    table = Table("Batches across four sources", ("backend", "batch", "fps", "times batch 1"))
    for backend in ("openvino", "onnxruntime"):
        found: Dict[int, List[float]] = {batch: [] for batch in BATCHES}
        for _ in range(args.turns):
            for batch in BATCHES:
                options = BackendOptions(backend=backend, batch=batch)
                found[batch].append(ran([FAST] * 4, args.seconds / 2, options)[0])
        for batch, fps in found.items():
            times = median(a / b for a, b in zip(fps, found[1]))
            row = (backend, str(batch), f"{median(fps):.1f}", f"{times:.3f}")
            _add(table, row, {"backend": backend, "batch": batch, "fps": fps, "times": times})
    return table


def _verdict(value: float, wanted: float) -> str:
    return f"{wanted} {'ok' if value >= wanted else 'MISSED'}"


def _add(table: Table, row: Sequence[str], data: Dict[str, Any]) -> None:
    table.rows.append(row)
    table.data.append(data)
    print(*row, flush=True)


if __name__ == "__main__":
    sys.exit(main())
