"""Benchmark: engines under conditions, in windows long enough to be believed.

One pipeline runs for all windows of a case: warm-up, then window after window, each with its own count, joules and
states. Afterwards the engine runs alone, nothing else beside it, for what the network itself can do.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import numpy as np

from edge_runtime.benchmark.validity import Window
from edge_runtime.detect.detector import Detector
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import ModelError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.machine import Others, cores
from edge_runtime.sources import SourceOptions

ALONE_S = 3.0


@dataclass(frozen=True)
class Times:
    """How long a case is measured.

    Attributes:
        warmup_s: before the first window.
        window_s: of each window.
        repeats: windows.
        alone_s: of the engine alone.
    """

    warmup_s: float = 5.0
    window_s: float = 30.0
    repeats: int = 3
    alone_s: float = ALONE_S


def windows(
    detector: Detector,
    source: str,
    streams: int,
    sampler: Sampler,
    times: Times,
    *,
    intruders: Callable[[], Tuple[int, ...]] = lambda: (),
    tick: Callable[[], None] = lambda: None,
) -> List[Window]:
    """Runs a detector over `streams` copies of a source; what each window saw.

    Args:
        sampler: must run; it may have no meter.
        intruders: other processes on the GPU, by number.
        tick: called after the warm-up and after each window.

    Raises:
        SourceError, EdgeError: what broke the pipeline.
    """
    pipeline = Pipeline(detector, [source] * streams, source_options=SourceOptions(loop=True), fail_fast=True)
    running = _Running(pipeline)
    try:
        running.wait(times.warmup_s)
        tick()
        found = []
        for _ in range(times.repeats):
            found.append(_window(running, pipeline, sampler, times.window_s, intruders))
            tick()
        return found
    finally:
        running.stop()


def alone(detector: Detector, seconds: float) -> Optional[float]:
    """Images per second of the network alone: its own milliseconds, image after image of the same kind.

    On TensorRT decoding and NMS are part of the graph, and so of this figure. None where the backend says no time.
    """
    backend, (width, height) = detector.backend, detector.model.spec.input_wh
    image, spent_ms, runs = np.full((height, width, 3), 127, np.uint8), 0.0, 0
    until = time.monotonic() + seconds
    while runs < 2 or time.monotonic() < until:
        backend.enqueue(0, [image] * backend.batch)
        backend.wait(0)
        if runs:  # the first is warming up
            spent_ms += backend.stage_ms(0)["inference"]
        runs += 1
    return 1e3 * backend.batch * (runs - 1) / spent_ms if spent_ms else None


def check_batch(detector: Detector, batch: int) -> None:
    """Nothing, where the engine runs that many images at once.

    Raises:
        ModelError: its batch is another.
    """
    if detector.backend.batch != batch:
        raise ModelError(f"its batch is fixed at {detector.backend.batch}", hint="export or build it for another")


class _Running:
    """A pipeline in a thread of its own, so that the caller may sleep and be interrupted."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name="benchmark", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Sleeps, no longer than the pipeline runs.

        Raises:
            EdgeError: what broke it, or that it came to an end.
        """
        self._thread.join(seconds)
        if self._error:
            raise self._error
        if not self._thread.is_alive():
            raise ModelError("the source came to its end", hint="give a longer one, or synthetic://1280x720")

    def stop(self) -> None:
        self._pipeline.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._pipeline.run()
        except BaseException as error:
            self._error = error


def _window(
    running: _Running, pipeline: Pipeline, sampler: Sampler, seconds: float, intruders: Callable[[], Tuple[int, ...]]
) -> Window:
    sampler.restart()
    mark, span, others, began_s = pipeline.monitor.mark(), sampler.begin(), Others(), time.monotonic()
    running.wait(seconds)
    sampler.end(span)
    counted = pipeline.monitor.since(mark)
    return Window(
        seconds=time.monotonic() - began_s,
        fps=counted["fps"],
        latency_ms=counted["latency_ms"],
        stage_ms=counted["stage_ms"],
        energy=span.energy if sampler.meter else None,
        rails_w=span.rails_w(),
        states=span.states,
        others=others.cores / cores(),
        intruders=intruders(),
    )
