"""The one timing loop: every case of a comparison in every round, in rotating order, ratios within the round.

A machine's other load moves an absolute figure by a factor of two; a ratio of neighbours in time survives it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Callable, Dict, List, Mapping, Optional, Sequence

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Metrics = Dict[str, float]
Case = Callable[[], Metrics]
Samples = Dict[str, List[Metrics]]
WINDOW_S = 0.01  # of a kernel: long against the clock, short against a change of load


@dataclass
class Settings:
    """What the command line asked for.

    Attributes:
        rounds: of the kernels; of windows of video, a fifth as many.
        seconds: length of a window of video.
        models: files that replace a section's own; empty for those.
        backends: names; a section skips those that are not installed.
        shared: folder of the shared test data.
        video: a file that replaces the encoded demo.
        frames: of the section flat.
    """

    rounds: int
    seconds: float
    models: Sequence[str]
    backends: Sequence[str]
    shared: str
    video: Optional[str]
    frames: int
    progress: Progress = field(default_factory=lambda: progress_bar())

    @property
    def long_rounds(self) -> int:
        """Rounds of comparisons whose windows take seconds."""
        return max(1, self.rounds // 5)


def progress_bar() -> Progress:
    from rich.console import Console

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def interleave(title: str, cases: Mapping[str, Case], rounds: int, progress: Progress) -> Samples:
    """Runs every case once per round; each round starts with another one."""
    names = list(cases)
    samples: Samples = {name: [] for name in names}
    task = progress.add_task(title, total=rounds * len(names))
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(cases[name]())
            progress.advance(task)
    progress.remove_task(task)
    return samples


def settle_malloc() -> None:
    """Lets glibc keep freed memory: until it has seen a large block go, a call that allocates pays page faults.

    It is the other side's gain: cv2's preprocessing of a 720p frame takes 2.1 ms without and 0.4 ms with it.
    """
    block = np.ones(30 << 20, np.uint8)
    del block


def kernel(call: Callable[[int], object], ring: int = 1) -> Case:
    """A case that measures microseconds per call over about `WINDOW_S`; `call` is given 0, 1 ... ring - 1 in turn."""
    call(0)
    once = _seconds(call, ring, ring) / ring
    count = ring * max(1, round(WINDOW_S / ring / once))
    return lambda: {"us": _seconds(call, ring, count) / count * 1e6}


def _seconds(call: Callable[[int], object], ring: int, count: int) -> float:
    started = perf_counter()
    for number in range(count):
        call(number % ring)
    return perf_counter() - started


def ratio(samples: Samples, name: str, base: str, metric: str) -> float:
    """Median over the rounds of this case divided by the base in the same round."""
    return median(mine[metric] / theirs[metric] for mine, theirs in zip(samples[name], samples[base]))


def values(samples: Samples, name: str, metric: str) -> List[float]:
    return [sample[metric] for sample in samples[name]]


def mid(samples: Samples, name: str, metric: str) -> float:
    return median(values(samples, name, metric))
