"""End to end on a 720p file against the raw inference rate of the same open sessions, in alternating windows."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Dict, List, Optional

from bench.report import Table
from bench.timing import Metrics, Samples, Settings, interleave, mid, ratio
from edge_runtime import sources
from edge_runtime.backends import BackendOptions
from edge_runtime.backends._host import auto_spinning
from edge_runtime.cli.detect import SWITCH_INTERVAL_S
from edge_runtime.detect.detector import Detector
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.machine import cores, usual_threads
from edge_runtime.sources import SourceOptions

MODELS = ("yolo11/yolo11n_320_int8qdq.onnx", "yolov5/yolov5n_640.onnx", "yolov8/yolov8n_640_fp32deq.onnx")
STAGES = ("capture", "preprocess", "inference", "postprocess")
GOALS = {1: 0.93, 0: 0.80}  # one thread, and all cores
CORES = cores()
SPARED = usual_threads()  # what edge-detect takes if nothing was measured


class Rig:
    """An open detector, to be run raw or in a pipeline."""

    def __init__(
        self, model: str, backend: str, threads: int, video: str, spinning: Optional[bool] = None, streams: int = 0
    ) -> None:
        options = BackendOptions(backend=backend, threads=threads, streams=streams, spinning=spinning)
        self.detector = Detector.open(model, options=options)
        self._video = video
        first = sources.open(video).read()
        assert first is not None
        self.detector(first.image)  # raw inference shall see a real picture
        # The raw rate is that of this very session, so this reaches below the public interface on purpose.
        self._infer = self.detector.backend._slots[0].run  # type: ignore[attr-defined]

    def raw(self, seconds: float) -> Metrics:
        """Inference only, one after the other."""
        started, cpu, count = perf_counter(), process_time(), 0
        while perf_counter() - started < seconds:
            self._infer()
            count += 1
        return {"fps": count / (perf_counter() - started), "cpu_ms": (process_time() - cpu) / count * 1e3}

    def pipe(self, seconds: float) -> Metrics:
        """Video in, boxes out, as edge-detect runs it without sinks; FPS is from the first result to the last."""
        source = sources.open(self._video, SourceOptions(loop=True))
        pipeline = Pipeline(self.detector, source, duration_s=seconds, warmup=0)
        cpu = process_time()
        summary = pipeline.run()
        used = process_time() - cpu
        stages = {stage: summary["stage_ms"][stage]["p50"] for stage in STAGES}
        busy = summary["stage_ms"]["inference"]["mean"] * summary["fps"] / 1e3
        return {"fps": summary["fps"], "busy": busy, "cpu_ms": used / summary["frames"] * 1e3, **stages,
                "latency_p50": summary["latency_ms"]["p50"], "latency_p95": summary["latency_ms"]["p95"]}  # fmt: skip


def run(settings: Settings, video: str, codec: str) -> Table:
    columns = ("model", "backend", "raw FPS", "FPS", "of raw", "of raw, all cores", "busy", "CPU ms raw", "CPU ms",
               "p50 ms: " + " / ".join(STAGES), "latency p50 / p95", "wanted")  # fmt: skip
    table = Table("End to end, 720p file", columns)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    for model in settings.models or [str(Path(settings.shared, "models", name)) for name in MODELS]:
        for backend in settings.backends:
            _one_thread(table, settings, model, backend, video)
            _all_cores(table, settings, model, backend, video)
    table.notes += [
        f"video: {codec}; {CORES} cores; windows of {settings.seconds:g} s, {settings.long_rounds} rounds, raw and"
        " pipeline in turn; figures are medians over the rounds.",
        "of raw: against inference alone on the same open session. of raw, all cores: against a session that has every"
        f" core. edge-detect takes {SPARED} threads here if nothing was measured; see the arrangements.",
        "busy: part of the time in which inference was running. What is missing to 1 are gaps of the pipeline; the rest"
        " of a loss is inference slowed down by video decoding and whatever else the machine does.",
        "CPU ms: of all threads of the process, per frame; capture decodes the video.",
    ]
    return table


def _one_thread(table: Table, settings: Settings, model: str, backend: str, video: str) -> None:
    rig = Rig(model, backend, 1, video)
    cases = {"raw 1": partial(rig.raw, settings.seconds), "1": partial(rig.pipe, settings.seconds)}
    samples = interleave(f"{stem(model)} {backend}, 1 thread", cases, settings.long_rounds, settings.progress)
    _add(table, samples, model, rig, 1, None, GOALS[1])
    rig.detector.close()


def _all_cores(table: Table, settings: Settings, model: str, backend: str, video: str) -> None:
    # Decided once: the second session would see the first one's threads still awake and be opened another way.
    spinning = auto_spinning(BackendOptions(), SPARED)
    rigs = {threads: Rig(model, backend, threads, video, spinning) for threads in sorted({CORES, SPARED})}
    cases = {f"raw {threads}": partial(rig.raw, settings.seconds) for threads, rig in rigs.items()}
    cases.update({str(threads): partial(rig.pipe, settings.seconds) for threads, rig in rigs.items()})
    samples = interleave(f"{stem(model)} {backend}, all cores", cases, settings.long_rounds, settings.progress)
    for threads, rig in rigs.items():
        _add(table, samples, model, rig, threads, f"raw {CORES}", GOALS[0] if threads == SPARED else None)
        rig.detector.close()


def _add(
    table: Table, samples: Samples, model: str, rig: Rig, threads: int, full: Optional[str], goal: Optional[float]
) -> None:
    name, raw = str(threads), f"raw {threads}"
    own = ratio(samples, name, raw, "fps")
    of_all = ratio(samples, name, full, "fps") if full else None
    best = own if of_all is None else of_all
    wanted = "" if goal is None else f"{goal} {'ok' if best >= goal else 'MISSED'}"
    middle: Dict[str, float] = {key: mid(samples, name, key) for key in samples[name][0]}
    rates = [f"{mid(samples, raw, 'fps'):.1f}", f"{middle['fps']:.1f}", f"{own:.3f}"]
    figures: List[str] = [*rates, "" if of_all is None else f"{of_all:.3f}", f"{middle['busy']:.3f}",
                          f"{mid(samples, raw, 'cpu_ms'):.2f}", f"{middle['cpu_ms']:.2f}",
                          " / ".join(f"{middle[stage]:.2f}" for stage in STAGES),
                          f"{middle['latency_p50']:.1f} / {middle['latency_p95']:.1f}"]  # fmt: skip
    backend = rig.detector.backend.description
    table.rows.append((stem(model), backend, *figures, wanted))
    rounds = {"raw": samples[raw], "pipeline": samples[name]}
    ratios = {"of_raw": own, "of_raw_all_cores": of_all, "wanted": goal}
    table.data.append({"model": stem(model), "backend": backend, "threads": threads, **ratios, **rounds})


def stem(model: str) -> str:
    return Path(model).stem
