"""Measurements that need a process of their own: a worker reads a JSON request per line and answers with another."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import tracemalloc
from array import array
from itertools import count, islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Dict, Iterator, List, Tuple

Answer = Dict[str, Any]
MARGIN = 50  # frames
IMAGE_BYTES = 1280 * 720 * 3


class WorkerFailed(Exception):
    """The last line the worker wrote to stderr."""


class Worker:
    """The parent's end."""

    def __init__(self, kind: str, **setup: Any) -> None:
        tools = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [tools, os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, "-m", "bench.workers", kind, json.dumps(setup)]
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        self.about = self._read()

    def ask(self, **request: Any) -> Answer:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self._process.communicate()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            self._errors.seek(0)
            raise WorkerFailed((self._errors.read().strip().splitlines() or ["ended without a word"])[-1])
        return dict(json.loads(line))


def ultralytics(setup: Dict[str, Any]) -> Iterator[Any]:
    """`predict` with its own defaults. It has no setting for threads; `threads`, where given, goes to its libraries."""
    import onnxruntime
    import torch

    session, threads = onnxruntime.InferenceSession, setup.get("threads")

    def limited(model: str, options: Any = None, **others: Any) -> Any:
        options = options or onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        return session(model, options, **others)

    onnxruntime.InferenceSession = limited
    from ultralytics import YOLO, __version__

    model = YOLO(setup["model"], task="detect")

    def stream() -> Iterator[int]:
        for _ in count():
            for result in model.predict(setup["video"], stream=True, verbose=False, imgsz=setup["side"]):
                yield len(result.boxes)

    next(stream())
    torch.set_num_threads(threads or torch.get_num_threads())
    yield {"name": f"ultralytics {__version__}",
           "threads": f"onnxruntime {threads or 'default'}, torch {torch.get_num_threads()}"}  # fmt: skip
    yield lambda request: _watch(stream(), request["seconds"])


def ours(setup: Dict[str, Any]) -> Iterator[Any]:
    """A Pipeline that is iterated over, with the thresholds of the other side. Without `threads` a trial decides."""
    from edge_runtime import sources
    from edge_runtime.backends import BackendOptions
    from edge_runtime.cli.detect import SWITCH_INTERVAL_S
    from edge_runtime.detect.detector import Detector
    from edge_runtime.loop.pipeline import Pipeline
    from edge_runtime.model.thresholds import Thresholds
    from edge_runtime.sources import SourceOptions
    from edge_runtime.tuning.cache import Cache
    from edge_runtime.tuning.tuner import AGAIN, tune

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    options = BackendOptions(backend=setup["backend"], threads=setup["threads"], thresholds=Thresholds(0.25, 0.7, 300))
    if setup["threads"]:
        detector = Detector.open(setup["model"], options=options)
    else:
        with tempfile.TemporaryDirectory() as folder:
            cache = Cache(Path(folder))
            detector = tune(setup["model"], setup["video"], options=options, when=AGAIN, cache=cache).detector

    def stream() -> Iterator[int]:
        source = sources.open(setup["video"], SourceOptions(loop=True))
        yield from (len(result.detections) for result in Pipeline(detector, source))

    yield {"name": detector.backend.description, "threads": f"{setup['threads'] or 'by a trial'}, and 1 to decode"}
    yield lambda request: _watch(stream(), request["seconds"])


def flat(setup: Dict[str, Any]) -> Iterator[Any]:
    """A long run over the synthetic source; see bench/flat.py."""
    from edge_runtime.backends import BackendOptions
    from edge_runtime.detect.detector import Detector
    from edge_runtime.loop.pipeline import Pipeline

    options = BackendOptions(backend=setup["backend"], threads=setup["threads"])
    detector = Detector.open(setup["model"], options=options)

    def serve(request: Dict[str, Any]) -> Answer:
        # A pipeline that has read its last frame gives its buffers back; measured is one in the middle of its work.
        source = f"synthetic://1280x720?frames={request['frames'] + MARGIN}"
        results = (len(result.detections) for result in Pipeline(detector, source))
        return (_traced if request["traced"] else _resident)(results, request["warm"], request["frames"])

    yield {"name": detector.backend.description}
    yield serve


def _watch(stream: Iterator[int], seconds: float) -> Answer:
    """FPS from the first result on, CPU milliseconds and boxes per frame."""
    next(stream)
    started, cpu, boxes, frames = perf_counter(), process_time(), 0, 0
    for found in stream:
        boxes, frames = boxes + found, frames + 1
        if perf_counter() - started >= seconds:
            break
    wall, used = perf_counter() - started, process_time() - cpu
    stream.close()  # type: ignore[attr-defined]
    return {"fps": frames / wall, "cpu_ms": used / frames * 1e3, "boxes": boxes / frames}


def _resident(results: Iterator[int], warm: int, frames: int) -> Answer:
    """Growth of resident memory and of Python's blocks after `warm` frames, page faults per frame."""
    curve: List[Tuple[int, int]] = []
    for number, _ in enumerate(islice(results, frames), 1):
        if number == warm:
            faults, blocks, started = _faults(), sys.getallocatedblocks(), perf_counter()
        if number in (warm, frames) or number % 1000 == 0:
            curve.append((number, _rss()))
    after = frames - warm
    return {
        "growth_bytes": curve[-1][1] - curve[0][1],
        "curve": curve,
        "faults_per_frame": (_faults() - faults) / after,
        "net_blocks": sys.getallocatedblocks() - blocks,
        "fps": after / (perf_counter() - started),
    }


def _traced(results: Iterator[int], warm: int, frames: int) -> Answer:
    """Net growth of traced memory in all domains and in numpy's; gross: the most held at a time within each frame."""
    tracemalloc.start()
    before, net = 0, []
    gross = array("q", bytes(8 * (frames + 1)))  # made beforehand: a list would be counted as growth
    for number, _ in enumerate(islice(results, frames), 1):
        now, peak = tracemalloc.get_traced_memory()
        gross[number] = peak - min(before, now)
        if number in (warm, frames):
            net.append((now, _in_numpy()))
        _reset_peak()
        before = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    (total, arrays), (total_end, arrays_end) = net
    answer = {"net_bytes": total_end - total, "net_numpy_bytes": arrays_end - arrays}
    if hasattr(tracemalloc, "reset_peak"):
        after = gross[warm + 1 :]
        answer.update(gross_median=median(after), gross_max=max(after), images=sum(g > IMAGE_BYTES // 2 for g in after))
    return answer


def _reset_peak() -> None:
    if hasattr(tracemalloc, "reset_peak"):  # from Python 3.9 on
        tracemalloc.reset_peak()


def _in_numpy() -> int:
    import numpy as np

    domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([domain]).traces)


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def main() -> None:
    kind, setup = sys.argv[1], json.loads(sys.argv[2])
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    about, serve = {"ultralytics": ultralytics, "ours": ours, "flat": flat}[kind](setup)
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
