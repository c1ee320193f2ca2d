"""What a process holds: memory, descriptors, threads, every few seconds."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Sequence, TypeVar

import numpy as np
from bench.report import Table

KEYS = ("rss_mib", "descriptors", "threads")
NAMES = ("memory (RSS), MiB", "descriptors", "threads")
NAP_S = 0.01
PAGE = os.sysconf("SC_PAGE_SIZE")
Worker = TypeVar("Worker", bound="Beside")


def held(pid: int) -> Dict[str, float]:
    """What a process holds now."""
    proc = Path("/proc", str(pid))
    resident = int((proc / "statm").read_text(encoding="utf-8").split()[1]) * PAGE
    return {
        "rss_mib": resident / 2**20,
        "descriptors": len(os.listdir(proc / "fd")),
        "threads": len(os.listdir(proc / "task")),
    }


class Beside:
    """Works in a thread, from the beginning of `with` to its end. Then `_done` is set, and `_work` has to return."""

    def __init__(self) -> None:
        self._done, self._thread = threading.Event(), threading.Thread(target=self._work, daemon=True)

    def __enter__(self: Worker) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        raise NotImplementedError


class Watch(Beside):
    """Takes a sample every `every_s` seconds."""

    def __init__(self, pid: int, every_s: float) -> None:
        super().__init__()
        self._pid, self._every_s = pid, every_s
        self.samples: List[Dict[str, float]] = []

    def _work(self) -> None:
        began_s = time.monotonic()
        while not self._done.is_set():
            try:
                now = held(self._pid)
            except OSError:  # it has ended
                return
            self.samples.append({"at_s": time.monotonic() - began_s, **now, "load": os.getloadavg()[0]})
            self._done.wait(self._every_s)


class Stalls(Beside):
    """Only sleeps for `NAP_S`, again and again.

    Attributes:
        longest_s: how much too long it slept: for so long the machine let nobody of us run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longest_s = 0.0

    def _work(self) -> None:
        while not self._done.is_set():
            began_s = time.monotonic()
            self._done.wait(NAP_S)
            self.longest_s = max(self.longest_s, time.monotonic() - began_s - NAP_S)


def growth(samples: Sequence[Dict[str, float]], settled_s: float) -> Table:
    """Medians of the first, the middle and the last tenth after `settled_s`, and the slope of a straight line."""
    table = Table("What the process holds", ("", "begin", "middle", "end", "least", "most", "slope per hour"))
    kept = [sample for sample in samples if sample["at_s"] >= settled_s]
    hours = np.array([sample["at_s"] for sample in kept]) / 3600
    for key, name in zip(KEYS, NAMES):
        values = np.array([sample[key] for sample in kept])
        tenth, middle = max(1, len(values) // 10), len(values) // 2
        parts = (values[:tenth], values[middle - tenth // 2 : middle + tenth // 2 + 1], values[-tenth:])
        begin, between, end = (float(np.median(part)) for part in parts)
        slope = float(np.polyfit(hours, values, 1)[0])
        figures = (begin, between, end, float(values.min()), float(values.max()), slope)
        table.rows.append((name, *(f"{figure:+.1f}" if figure is slope else f"{figure:.1f}" for figure in figures)))
        table.data.append(dict(zip(("what", "begin", "middle", "end", "least", "most", "slope"), (key, *figures))))
    loads = [sample["load"] for sample in kept]
    length_s = kept[-1]["at_s"] - kept[0]["at_s"]
    table.notes.append(
        f"{len(kept)} samples from {settled_s:.0f} s after the start on, over {length_s:.0f} s. "
        "Begin, middle, end: medians of a tenth of them. Slope: of a straight line through all. "
        f"Load average of the machine: {np.median(loads):.1f} (median), {max(loads):.1f} (most); other work ran beside."
    )
    return table


def plot(samples: Sequence[Dict[str, float]], path: Path) -> None:
    """Draws all three over time, one below the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    for place, (key, name) in enumerate(zip(KEYS, NAMES)):
        axes = figure.add_subplot(len(KEYS), 1, place + 1)
        axes.plot([sample["at_s"] / 60 for sample in samples], [sample[key] for sample in samples])
        axes.set(ylabel=name, ylim=(0, None))
        axes.grid(alpha=0.3)
    axes.set_xlabel("minutes")
    figure.savefig(path, dpi=80)
