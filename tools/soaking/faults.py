"""Faults of cameras while four streams run: how long until a stream is back, and what the others see."""

from __future__ import annotations

import os
import random
import threading
import time
from statistics import median
from typing import Any, Callable, Dict, List, Sequence, Tuple

from bench.report import Table

from edge_runtime import Detector, Pipeline
from edge_runtime.sources import SourceOptions
from soaking.process import Stalls, Watch, growth
from soaking.seen import STALE_S, One, Seen
from tests.sources.stamped import StampedCamera

BACK_S, LIMIT_S, CALM_S, LOST_S = 3.0, 20.0, 1.5, 60.0
SIZES = ("640x360", "480x270")
COLUMNS = (
    "fault", "times", "back, median s", "back, worst s", "wanted", "others without a result, longest s",
    "stalls of the machine, longest s",
)  # fmt: skip
Fits = Callable[[One], bool]


def killed(camera: StampedCamera) -> Fits:
    """Without power for a while."""
    camera.stop()
    stopped_s = time.monotonic()
    time.sleep(random.uniform(0.5, 6))
    camera.start()
    return _since(stopped_s)


def restarted(camera: StampedCamera) -> Fits:
    """Starts again at once."""
    camera.stop()
    stopped_s = time.monotonic()
    camera.start()
    return _since(stopped_s)


def frozen(camera: StampedCamera) -> Fits:
    """Shorter than our time limit for a picture: the connection goes on, and what was kept back comes."""
    return _frozen(camera, random.uniform(2, 4))


def frozen_long(camera: StampedCamera) -> Fits:
    """Longer than the limit."""
    return _frozen(camera, random.uniform(6, 10))


def restarted_with_another_size(camera: StampedCamera) -> Fits:
    """As after a change of its settings."""
    camera.stop()
    camera.size = _other(camera.size)
    camera.start()
    return lambda one: one.size == camera.size


def another_size(camera: StampedCamera) -> Fits:
    """In the connection that is open."""
    camera.resize(_other(camera.size))
    return lambda one: one.size == camera.size


KINDS = {
    "killed": killed, "restarted at once": restarted, "frozen for 2 to 4 s": frozen,
    "frozen for 6 to 10 s": frozen_long, "restarted with another size": restarted_with_another_size,
    "another size in one connection": another_size,
}  # fmt: skip


def _frozen(camera: StampedCamera, for_s: float) -> Fits:
    camera.freeze()
    time.sleep(for_s)
    camera.thaw()
    return _since(time.monotonic())


def _since(begin_s: float) -> Fits:
    return lambda one: one.taken_s >= begin_s


def _other(size: str) -> str:
    return SIZES[size == SIZES[0]]


def soak(engine: str, turns: int, fps: int) -> List[Table]:
    """Every kind of fault `turns` times, in a random order, then one stream that is lost for good."""
    cameras, seen = [StampedCamera(fps) for _ in range(4)], Seen()
    try:
        with Detector.open(engine) as detector:
            pipeline = Pipeline(
                detector, [each.url for each in cameras], [seen], source_options=SourceOptions(wait=True)
            )
            run = threading.Thread(target=pipeline.run)
            run.start()
            try:
                return _soak(pipeline, cameras, seen, turns)
            finally:
                pipeline.stop()
                run.join()
    finally:
        for camera in cameras:
            camera.thaw()
            camera.stop()


def _soak(pipeline: Any, cameras: Sequence[StampedCamera], seen: Seen, turns: int) -> List[Table]:
    for camera in cameras:
        if seen.first(camera.url, lambda _: True, 0.0, LIMIT_S) is None:
            raise SystemExit(f"{camera.url} gave nothing")
    order = [kind for kind in KINDS for _ in range(turns)]
    random.Random(17).shuffle(order)
    found: Dict[str, List[Tuple[float, ...]]] = {kind: [] for kind in KINDS}
    with Watch(os.getpid(), 2.0) as watch:
        began_s = time.monotonic()
        for turn, kind in enumerate([*KINDS, *order]):  # one of each before the comparison begins
            if turn == len(KINDS):
                settled_s = time.monotonic() - began_s
            with Stalls() as stalls:
                back_s, gap_s = _one(KINDS[kind], cameras, turn % len(cameras), seen)
            print(f"{turn:3} {kind}: back in {back_s:.2f} s, others without a result for {gap_s:.2f} s", flush=True)
            if turn >= len(KINDS):
                found[kind].append((back_s, gap_s, stalls.longest_s))
        for camera in cameras:
            camera.resize(SIZES[0])
        time.sleep(20)
    return [
        _faults(found, seen), _lost(pipeline, cameras, seen), growth(watch.samples, settled_s), _states(pipeline),
    ]  # fmt: skip


def _one(
    fault: Callable[[StampedCamera], Fits], cameras: Sequence[StampedCamera], number: int, seen: Seen
) -> Tuple[float, float]:
    camera, began_s = cameras[number], time.monotonic()
    fits = fault(camera)
    ready_s = time.monotonic()
    back = seen.first(camera.url, fits, ready_s - 0.2, LIMIT_S)
    time.sleep(CALM_S)
    gap_s = max(seen.gap_s(other.url, began_s, time.monotonic()) for other in cameras if other is not camera)
    return (back.at_s - ready_s if back else float("inf")), gap_s


def _faults(found: Dict[str, List[Tuple[float, ...]]], seen: Seen) -> Table:
    table = Table("Faults of four streams", COLUMNS)
    for kind, times in found.items():
        back, gaps, stalls = ([max(0.0, each[place]) for each in times] for place in range(3))
        verdict = f"{BACK_S:g} {'ok' if max(back) <= BACK_S else 'MISSED'}"
        figures = (median(back), max(back), max(gaps), max(stalls))
        shown = [f"{figure:.2f}" for figure in figures]
        table.rows.append((kind, str(len(back)), *shown[:2], verdict, *shown[2:]))
        table.data.append({"fault": kind, "back_s": back, "others_s": gaps, "stalls_s": stalls})
    table.notes += [
        "Back: from the moment the server listens or goes on to the first result of a picture of after that, or of the "
        "new size. A stall: how much too long a thread slept that does nothing else.",
        f"{seen.count} results. Of pictures older than {STALE_S:g} s: {seen.stale}; the oldest: {seen.oldest_s:.2f} s. "
        f"Of the same or an earlier picture again: {seen.again}. With a time that could not be read: {seen.unread}.",
    ]  # fmt: skip
    return table


def _lost(pipeline: Any, cameras: Sequence[StampedCamera], seen: Seen) -> Table:
    """The first camera is taken away for good; the others as before?"""
    table = Table("One stream lost for good", ("", "results a second of each other stream", "longest without one, s"))
    for what in ("before", "after"):
        if what == "after":
            cameras[0].stop()
        begin_s = time.monotonic()
        time.sleep(LOST_S)
        end_s = time.monotonic()
        rates = [len(seen.between(camera.url, begin_s, end_s)) / (end_s - begin_s) for camera in cameras[1:]]
        gap_s = max(seen.gap_s(camera.url, begin_s, end_s) for camera in cameras[1:])
        table.rows.append((what, ", ".join(f"{rate:.2f}" for rate in rates), f"{gap_s:.2f}"))
        table.data.append({"when": what, "rates": rates, "gap_s": gap_s})
    table.notes.append(f"{LOST_S:g} s each.")
    cameras[0].start()
    return table


def _states(pipeline: Any) -> Table:
    keys = ("frames", "reconnects", "stalls", "broken", "stale")
    table = Table("What the sources counted", ("stream", *keys))
    for number, state in enumerate(pipeline.summary()["states"]):
        table.rows.append((str(number + 1), *(str(state[key]) for key in keys)))
        table.data.append({key: state[key] for key in keys})
    return table
