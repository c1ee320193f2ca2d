"""Benchmark: measures engines under given conditions, in windows that are long enough for reliable results.

One pipeline runs for all windows of a case. After a warm-up the windows follow one another. Each has its own count,
joules and states. Then the engine runs alone, to measure the network itself.
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
        warmup_s: seconds before the first window.
        window_s: seconds of each window.
        repeats: number of windows.
        alone_s: seconds of the engine alone.
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
    """Runs a detector over `streams` copies of a source, and returns what was measured in each window.

    Args:
        sampler: a running sampler; it may have no meter.
        intruders: returns the process numbers of other processes on the GPU.
        tick: called after the warm-up and after each window.

    Raises:
        SourceError, EdgeError: the error that stopped the pipeline.
    """
    pipeline = Pipeline(
        detector, [source] * streams, source_options=SourceOptions(loop=True, max_tries=10), fail_fast=True
    )
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
    """Returns images per second of the network alone, from its own milliseconds. All images are the same.

    With TensorRT decoding and NMS are part of the graph, so they are included. None if the backend gives no times.
    """
    backend, (width, height) = detector.backend, detector.model.spec.input_wh
    image, spent_ms, runs = np.full((height, width, 3), 127, np.uint8), 0.0, 0
    until = time.monotonic() + seconds
    while runs < 2 or time.monotonic() < until:
        backend.enqueue(0, [image] * backend.batch)
        backend.wait(0)
        if runs:  # the first run is the warm-up
            spent_ms += backend.stage_ms(0)["inference"]
        runs += 1
    return 1e3 * backend.batch * (runs - 1) / spent_ms if spent_ms else None


def check_batch(detector: Detector, batch: int) -> None:
    """Checks that the engine runs that many images at once.

    Raises:
        ModelError: its batch size is different.
    """
    if detector.backend.batch != batch:
        raise ModelError(f"its batch is fixed at {detector.backend.batch}", hint="export or build it for another")


class _Running:
    """A pipeline in a thread of its own, so that the caller can sleep and can be interrupted."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name="benchmark", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Sleeps, at most as long as the pipeline runs.

        Raises:
            EdgeError: the error that stopped the pipeline; also if the source ended.
        """
        self._thread.join(seconds)
        if self._error:
            raise self._error
        if not self._thread.is_alive():
            raise ModelError("the source ended too early", hint="give a longer one, or synthetic://1280x720")

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
