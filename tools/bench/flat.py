"""Does memory stay flat? A long run over the synthetic source through a small model, in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

from bench.report import Table
from bench.timing import Settings
from bench.workers import Answer, Worker

MODEL = "fastestdet/FastestDet.onnx"
MEBI = 1 << 20
THREADS = max(1, len(os.sched_getaffinity(0)) - 1)
COLUMNS = ("model", "backend", "frames", "RSS growth", "page faults / frame", "net Python blocks", "net traced bytes",
           "net numpy bytes", "gross / frame: median, max", "images allocated", "FPS", "wanted")  # fmt: skip


def run(settings: Settings) -> Table:
    table = Table("Flat memory", COLUMNS)
    warm = min(1000, settings.frames // 4)
    traced = max(2 * warm, settings.frames // 5)
    for model in settings.models or [str(Path(settings.shared, "models", MODEL))]:
        for backend in _backends(settings, model):
            _measure(table, settings, model, backend, warm, traced)
    table.notes += [
        f"source synthetic 1280x720, as fast as it is taken; figures count from frame {warm} on; the consumer iterates"
        " over a Pipeline and keeps nothing.",
        f"traced: a second run of {traced} frames under tracemalloc; gross is the most that all threads together held"
        " within a frame beyond what they held before it (boxes, results). images: frames in which that was as much as"
        " an image.",
    ]
    return table


def _backends(settings: Settings, model: str) -> List[str]:
    return ["replay"] if model.endswith(".replay.npz") else list(settings.backends)


def _measure(table: Table, settings: Settings, model: str, backend: str, warm: int, traced: int) -> None:
    task = settings.progress.add_task(f"flat, {backend}, {settings.frames} frames", total=None)
    setup = {"model": model, "backend": backend, "threads": THREADS}
    worker, tracer = Worker("flat", **setup), Worker("flat", **setup)
    plain = worker.ask(frames=settings.frames, warm=warm, traced=False)
    worker.close()
    trace = tracer.ask(frames=traced, warm=warm, traced=True)
    tracer.close()
    settings.progress.remove_task(task)
    _add(table, model, worker.about["name"], settings.frames, {**plain, **trace})


def _add(table: Table, model: str, backend: str, frames: int, got: Answer) -> None:
    good = got["growth_bytes"] <= MEBI
    gross = (
        f"{got['gross_median'] / 1024:.1f}, {got['gross_max'] / 1024:.1f} KiB" if "images" in got else "n/a: Python 3.8"
    )
    table.rows.append((Path(model).stem, backend, str(frames), f"{got['growth_bytes'] / 1024:.0f} KiB",
                       f"{got['faults_per_frame']:.3f}", str(got["net_blocks"]), str(got["net_bytes"]),
                       str(got["net_numpy_bytes"]), gross, str(got.get("images", "n/a")),
                       f"{got['fps']:.0f}", f"1 MiB {'ok' if good else 'MISSED'}"))  # fmt: skip
    table.data.append({"model": Path(model).stem, "backend": backend, "frames": frames, **got, "wanted": MEBI})
