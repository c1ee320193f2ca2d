"""The same ONNX file and the same video through `ultralytics predict` and through us, each in its own process."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, List, Tuple

from bench.report import Table
from bench.timing import Samples, Settings, interleave, mid, ratio
from bench.workers import Worker, WorkerFailed
from edge_runtime.machine import cores, usual_threads
from edge_runtime.model import onnx_file

MODELS = ("yolo11/yolo11n_320_int8qdq.onnx", "yolov8/yolov8n_640_fp32deq.onnx")
GOALS = {"yolo11n_320_int8qdq": (1.2, 2.5), "yolov8n_640_fp32deq": (1.4, 1.5)}  # on fewer than 4 cores, and on more
PEER, SAME = "ultralytics", "ultralytics, our threads"
CORES = cores()
THREADS = usual_threads()
TUNED = "ours, by a trial"
COLUMNS = (
    "model",
    "who",
    "threads",
    "FPS",
    "times ultralytics",
    "with our threads",
    "CPU ms",
    "boxes / frame",
    "wanted",
)
Setup = Tuple[str, str, Dict[str, object]]


def run(settings: Settings, video: str, codec: str) -> Table:
    table = Table("Against ultralytics predict", COLUMNS)
    if not find_spec("ultralytics"):
        table.notes.append("ultralytics is not installed here: only our side is shown.")
    for model in settings.models or [str(Path(settings.shared, "models", name)) for name in MODELS]:
        _compare(table, settings, model, video)
    table.notes += [
        f"video: {codec}; {CORES} cores; windows of {settings.seconds:g} s, {settings.long_rounds} rounds, each process"
        " in turn; loading and the first frame are not counted; medians.",
        "ultralytics: predict(stream=True, verbose=False) with its own defaults (conf 0.25, iou 0.7, max_det 300); it"
        " has no setting for threads, so the second of its rows sets those of its libraries to ours.",
        f"ours: the same thresholds, iterating over a Pipeline, with {THREADS} threads, which edge-detect takes if"
        " nothing was measured. The last row is the arrangement that a trial chooses, as edge-detect makes it.",
    ]
    return table


def _compare(table: Table, settings: Settings, model: str, video: str) -> None:
    workers: Dict[str, Worker] = {}
    for name, kind, setup in _setups(settings, model, video):
        try:
            workers[name] = Worker(kind, **setup)
        except WorkerFailed as error:
            table.notes.append(f"{name} does not run here: {error}.")
    cases = {name: partial(worker.ask, seconds=settings.seconds) for name, worker in workers.items()}
    samples = interleave(f"{Path(model).stem}, peers", cases, settings.long_rounds, settings.progress)
    for name, worker in workers.items():
        _add(table, samples, model, name, worker)
        worker.close()


def _setups(settings: Settings, model: str, video: str) -> List[Setup]:
    common = {"model": model, "video": video}
    setups: List[Setup] = []
    if find_spec("ultralytics"):
        peer = {**common, "side": onnx_file.read_io(model).input_wh[0]}
        setups = [(PEER, "ultralytics", peer), (SAME, "ultralytics", {**peer, "threads": THREADS})]
    for backend in settings.backends:
        setups.append((f"ours, {backend}", "ours", {**common, "backend": backend, "threads": THREADS}))
    backend = settings.backends[0] if len(settings.backends) == 1 else None
    return [*setups, (TUNED, "ours", {**common, "backend": backend, "threads": 0})]


def _add(table: Table, samples: Samples, model: str, name: str, worker: Worker) -> None:
    figures = {key: mid(samples, name, key) for key in ("fps", "cpu_ms", "boxes")}
    times = {
        peer: ratio(samples, name, peer, "fps") for peer in (PEER, SAME) if peer in samples and name.startswith("ours")
    }
    goal = GOALS.get(Path(model).stem, (None, None))[CORES >= 4] if PEER in times else None
    wanted = "" if goal is None else f"{goal}x {'ok' if times[PEER] >= goal else 'MISSED'}"
    table.rows.append((Path(model).stem, worker.about["name"], worker.about["threads"], f"{figures['fps']:.1f}",
                       *(f"{times[peer]:.2f}" if peer in times else "" for peer in (PEER, SAME)),
                       f"{figures['cpu_ms']:.1f}", f"{figures['boxes']:.2f}", wanted))  # fmt: skip
    table.data.append({"model": Path(model).stem, "who": name, **worker.about, "rounds": samples[name],
                       "times": times, "wanted": goal})  # fmt: skip
