"""What measuring costs: processor time of the sampler, and of the whole monitor beside detection, in turn.

python tools/bench_watts.py [--rounds 30] [--seconds 4]     # into tools/reference/bench_watts.{json,md}

The boards are the recorded trees of the shared test data, laid out on this machine's disk: what a file costs here is
not what a chip behind it costs there (about a millisecond each, on a board).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Callable, Dict, List, Optional, Sequence

from bench import report
from bench.report import Table
from bench.trees import lay

from edge_runtime import power
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.energy.efficiency import Efficiency
from edge_runtime.energy.runlog import RunLog
from edge_runtime.energy.sampler import HZ, Sampler
from edge_runtime.jetson.probe import Probe
from edge_runtime.loop.monitor import Monitor
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.types import Result

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "bench_watts.json"
WANTED = 0.01  # of a core; of a frame's processor time
BOARD = "orin-nano_l4t36"


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default=str(ROOT / "engines" / "yolo_nano_voc_int8.onnx"))
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=4.0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        boards = sorted((args.shared / "fixtures" / "jetson").glob("*_l4t*.json"))
        trees = {path.stem: lay(path, Path(folder, path.stem)) for path in boards}
        tables = [sampling(trees, 2.5 * args.seconds), watching(args.engine, trees[BOARD], args.rounds, args.seconds)]
    for table in tables:
        print(table.markdown())
    report.save(TARGET, "What measuring costs", report.machine(), tables)
    return 0


def sampling(trees: Dict[str, Path], seconds: float) -> Table:
    """A sampler alone in the process: its processor time over the wall's."""
    table = Table("Sampler", ("board", "rails", "part of a core", "wanted"))
    for name, root in trees.items():
        with Sampler(power.open(root), Probe(root)) as sampler:
            span, cpu_s, began_s = sampler.begin(), time.process_time(), time.monotonic()
            time.sleep(seconds)
            part = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
            samples = sampler.end(span).energy.samples
        rails = len(sampler.meter.rails) if sampler.meter else 0
        table.rows.append((name, str(rails), f"{part:.3%}", f"{WANTED:.0%} {'ok' if part < WANTED else 'MISSED'}"))
        table.data.append({"board": name, "rails": rails, "part_of_core": part, "samples": samples})
    table.notes.append(
        f"Rails of the total {HZ:g} times a second; the others, clocks, temperatures and load once; {seconds:g} s each."
    )
    return table


def watching(engine: str, root: Path, rounds: int, seconds: float) -> Table:
    """Processor time per frame, without any monitor, with counting alone, with all of it."""
    cases: Dict[str, Callable[[Detector], float]] = {
        "nothing": lambda detector: frame_ms(detector, None, seconds, counts=False),
        "counting": lambda detector: frame_ms(detector, None, seconds),
        "counting, watts, log": lambda detector: frame_ms(detector, root, seconds),
    }
    spent: Dict[str, List[float]] = {name: [] for name in cases}
    names = list(cases)
    options = BackendOptions("onnxruntime", threads=1, spinning=False)  # no threads that wait busily
    with Detector.open(engine, options=options) as detector:
        for number in range(rounds + 1):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                ms = cases[name](detector)
                if number:  # the first round warms up
                    spent[name].append(ms)
    table = Table("Monitor beside detection", ("monitor", "processor time per frame", "times nothing", "wanted"))
    for name, times in spent.items():
        ratio = median(mine / bare for mine, bare in zip(times, spent["nothing"]))
        verdict = f"{1 + WANTED:.2f} {'ok' if ratio < 1 + WANTED else 'MISSED'}" if name != "nothing" else ""
        table.rows.append((name, f"{median(times):.3f} ms", f"{ratio:.4f}", verdict))
        table.data.append({"monitor": name, "ms": times, "ratio": ratio})
    table.notes.append(
        f"{Path(engine).name} on one thread of ONNX Runtime, 1280x720 test pattern, "
        f"{rounds} rounds of {seconds:g} s in turn: medians, and the median of the rounds' ratios. "
        f"Watts of the recorded {BOARD}, a row of CSV a second."
    )
    return table


class Blind(Monitor):
    """Counts frames and nothing else."""

    mean_fps = 0.0

    def write(self, result: Result) -> None:
        self.frames += 1


def frame_ms(detector: Detector, root: Optional[Path], seconds: float, counts: bool = True) -> float:
    """Milliseconds of processor time, of all threads, per frame."""
    pipeline = Pipeline(detector, "synthetic://1280x720", duration_s=seconds)
    if not counts:
        pipeline._run.monitor = Blind()
    if root is None:
        cpu_s = time.process_time()
        pipeline.run()
        return 1e3 * (time.process_time() - cpu_s) / pipeline.monitor.frames
    with tempfile.TemporaryDirectory() as folder, Sampler(power.open(root), Probe(root)) as sampler:
        log = RunLog(f"{folder}/run.csv")
        watched = Efficiency(pipeline.monitor, sampler, log=log)
        cpu_s = time.process_time()
        pipeline.run(watched.tick)
        watched.finish()
        spent_s = time.process_time() - cpu_s
        log.close()
    return 1e3 * spent_s / pipeline.monitor.frames


if __name__ == "__main__":
    raise SystemExit(main())
