"""What a frame of a video costs part by part, and whether their sum leaves room for what is wanted end to end."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Callable, Dict

from bench.pipeline import CORES, MODELS, Rig, stem
from bench.report import Table
from bench.timing import Metrics, Samples, Settings, interleave, mid, ratio
from bench.tuned import wanted_part
from edge_runtime import sources
from edge_runtime.cli.detect import SWITCH_INTERVAL_S
from edge_runtime.sources import SourceOptions

NAMES = ("raw", "decoding", "raw and preparation", "one after the other", "pipeline")
COLUMNS = ("model", "backend", *(f"{name}, ms" for name in NAMES), "raw of the sum", "raw of the pipeline", "wanted")


def run(settings: Settings, video: str, codec: str) -> Table:
    table = Table("Parts of a frame, 720p file, one thread", COLUMNS)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    for model in settings.models or [str(Path(settings.shared, "models", name)) for name in MODELS]:
        for backend in settings.backends:
            rig = Rig(model, backend, 1, video)
            samples = interleave(f"{stem(model)} {backend}, parts", _cases(rig, video, settings.seconds),
                                 settings.long_rounds, settings.progress)  # fmt: skip
            _add(table, samples, model, backend)
            rig.detector.close()
    table.notes += [
        f"video: {codec}; {CORES} cores; windows of {settings.seconds:g} s, {settings.long_rounds} rounds, in turn.",
        "raw of the sum: of decoding alone, and of inference with preparation and boxes of one picture. It is what "
        "these parts leave on one core, without any pipeline. One after the other: the same calls frame by frame, "
        "without a second thread.",
    ]
    return table


def _cases(rig: Rig, video: str, seconds: float) -> Dict[str, Callable[[], Metrics]]:
    source, backend = sources.open(video, SourceOptions(loop=True)), rig.detector.backend
    first = source.read()
    assert first is not None

    def detect(picture: object) -> None:
        backend.enqueue(0, [picture])  # type: ignore[list-item]
        backend.wait(0)

    def both() -> None:
        frame = source.read()
        assert frame is not None
        detect(frame.picture)

    return {
        "raw": partial(rig.raw, seconds),
        "decoding": partial(_repeat, source.read, seconds),
        "raw and preparation": partial(_repeat, partial(detect, first.picture), seconds),
        "one after the other": partial(_repeat, both, seconds),
        "pipeline": partial(rig.pipe, seconds),
    }


def _repeat(step: Callable[[], object], seconds: float) -> Metrics:
    began, count = perf_counter(), 0
    while perf_counter() - began < seconds:
        step()
        count += 1
    return {"fps": count / (perf_counter() - began)}


def _add(table: Table, samples: Samples, model: str, backend: str) -> None:
    shares = [
        raw["fps"] * (1 / one["fps"] + 1 / rest["fps"])
        for raw, one, rest in zip(*(samples[name] for name in NAMES[:3]))
    ]
    of_sum, of_pipe = median(1 / share for share in shares), ratio(samples, "pipeline", "raw", "fps")
    spent = {name: 1e3 / mid(samples, name, "fps") for name in NAMES}
    goal = wanted_part(spent["raw"])
    shown = (f"{each:.2f}" for each in spent.values())
    table.rows.append((stem(model), backend, *shown, f"{of_sum:.3f}", f"{of_pipe:.3f}", str(goal or "")))
    table.data.append({"model": stem(model), "backend": backend, "ms": spent, "of_sum": of_sum, "of_raw": of_pipe})
