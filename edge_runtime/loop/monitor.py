"""Counts what a pipeline does: frames per second, latency percentiles per stage, detections per class."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Deque, Dict, List, Optional, Sequence, Tuple

from edge_runtime.types import Result

_BINS_PER_DECADE = 100
_LOWEST_MS = 1e-3
_BINS = 8 * _BINS_PER_DECADE + 1


class LatencyHistogram:
    """Percentiles of any number of durations in constant memory. Its bins are 2.3 % wide, from 1 us to 100 s.

    Attributes:
        most_ms: the longest duration.
    """

    def __init__(self) -> None:
        self._bins: List[int] = [0] * _BINS
        self.count = 0
        self.total_ms = self.most_ms = 0.0

    def add(self, ms: float) -> None:
        """Counts one duration, milliseconds."""
        place = int(math.log10(max(ms, _LOWEST_MS) / _LOWEST_MS) * _BINS_PER_DECADE)
        self._bins[min(place, _BINS - 1)] += 1
        self.count += 1
        self.total_ms += ms
        self.most_ms = max(self.most_ms, ms)

    def percentile(self, percent: float) -> float:
        """Upper edge of the bin of this percentile, ms. It is at most the longest duration. nan without data."""
        wanted, seen = percent / 100 * self.count, 0
        for place, number in enumerate(self._bins):
            seen += number
            if number and seen >= wanted:
                return min(self.most_ms, float(_LOWEST_MS * 10.0 ** ((place + 1) / _BINS_PER_DECADE)))
        return float("nan")

    def copy(self) -> LatencyHistogram:
        """A copy of the present state."""
        other = LatencyHistogram()
        other._bins, other.count = list(self._bins), self.count
        other.total_ms, other.most_ms = self.total_ms, self.most_ms
        return other

    def since(self, before: LatencyHistogram) -> LatencyHistogram:
        """The durations that were added after the copy `before`."""
        other = LatencyHistogram()
        other._bins = [now - then for now, then in zip(self._bins, before._bins)]
        other.count, other.total_ms = self.count - before.count, self.total_ms - before.total_ms
        other.most_ms = min(self.most_ms, other.total_ms)  # a single duration is known exactly
        return other

    def summary(self) -> Dict[str, float]:
        """`{"mean", "p50", "p95", "p99"}`, milliseconds; empty without data."""
        if not self.count:
            return {}
        values = {f"p{p}": self.percentile(p) for p in (50, 95, 99)}
        return {key: round(ms, 3) for key, ms in {"mean": self.total_ms / self.count, **values}.items()}


@dataclass(frozen=True)
class Mark:
    """State of a monitor at one moment: frames, the time of the last one (`perf_counter`), durations."""

    frames: int
    last_s: float
    latency: LatencyHistogram
    stages: Dict[str, LatencyHistogram]


class Monitor:
    """Counts results. The detecting thread calls it, because it costs little.

    Frames that a motion gate kept from inference count as frames, and not in the times of stages and latency.

    Any thread may read it while it counts. The values that are read always belong to the same frames.
    """

    def __init__(self, window: int = 120) -> None:
        self.frames = self.gated = 0
        self.latency = LatencyHistogram()
        self.stages: Dict[str, LatencyHistogram] = {}
        self._per_class: Counter[int] = Counter()
        self._labels: Sequence[str] = ()
        self._first_s = self._last_s = 0.0
        self._recent: Deque[float] = deque(maxlen=window)
        self._lock = threading.Lock()  # readers only copy under it and compute later, so that they never delay a frame

    def write(self, result: Result) -> None:
        """Counts one result."""
        class_ids = result.detections.class_id.tolist()
        with self._lock:
            self._last_s = perf_counter()
            self._first_s = self._first_s or self._last_s
            self._recent.append(self._last_s)
            self.frames += 1
            self.gated += result.gated
            if not result.gated:
                self._time(result)
            self._labels = result.detections.labels
            self._per_class.update(class_ids)

    def _time(self, result: Result) -> None:
        self.latency.add(result.latency_ms)
        for stage, ms in result.stage_ms.items():
            if stage not in self.stages:
                self.stages[stage] = LatencyHistogram()
            self.stages[stage].add(ms)

    @property
    def fps(self) -> float:
        """Frames per second over the latest frames, up to now."""
        with self._lock:
            count = len(self._recent)
            return (count - 1) / max(self._recent[-1] - self._recent[0], 1e-9) if count > 1 else 0.0

    @property
    def mean_fps(self) -> float:
        """Frames per second from the first result to the last."""
        return self._rate(self.mark())

    @property
    def detections(self) -> Dict[str, int]:
        """Detections so far per class name, most frequent first. Classes of the same name count together."""
        with self._lock:
            names, per_class = self._labels, self._per_class.copy()
        found: Counter[str] = Counter()
        for number, count in per_class.items():
            found[names[number] if number < len(names) else str(number)] += count
        return dict(found.most_common())

    def mark(self) -> Mark:
        """Marks the present state. `since` counts what comes after it."""
        with self._lock:
            stages = {name: histogram.copy() for name, histogram in self.stages.items()}
            return Mark(self.frames, self._last_s, self.latency.copy(), stages)

    def latencies(self) -> Tuple[int, LatencyHistogram]:
        """The frames so far, and a copy of the latencies of those that were inferred."""
        with self._lock:
            return self.frames, self.latency.copy()

    def since(self, mark: Mark, until: Optional[Mark] = None) -> Dict[str, Any]:
        """Plain data of the frames after a mark: frames, fps (None without a frame), percentiles.

        Args:
            until: a later mark, where the next count begins; None for now.
        """
        now = until or self.mark()
        frames, seconds = now.frames - mark.frames, now.last_s - (mark.last_s or self._first_s)
        stages = {
            name: histogram.since(mark.stages.get(name, LatencyHistogram())).summary()
            for name, histogram in now.stages.items()
        }
        if not mark.last_s:
            frames -= 1  # the first frame only starts the clock
        return {
            "frames": frames,
            "fps": frames / seconds if frames > 0 and seconds > 0 else None,
            "latency_ms": now.latency.since(mark.latency).summary(),
            "stage_ms": stages,
        }

    def status(self, drops: Sequence[int], total: Optional[int] = None) -> str:
        """One line for a terminal: latency, stages, frames (of `total` if that is known), drops."""
        now = self.mark()
        stages = "  ".join(
            f"{name} {histogram.percentile(50):.1f}/{histogram.percentile(95):.1f}"
            for name, histogram in now.stages.items()
        )
        latency = f"latency {now.latency.percentile(50):.1f}/{now.latency.percentile(95):.1f} ms"
        dropped = f"  {sum(drops)} dropped" if sum(drops) else ""
        frames = f"{now.frames}/{total} frames" if total else f"{now.frames} frame{'s' * (now.frames != 1)}"
        return f"{latency} (p50/p95)  {stages}  {frames}{dropped}"

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON: frames, fps, duration, percentiles, detections per class."""
        now = self.mark()
        return {
            "frames": now.frames,
            "fps": round(self._rate(now), 2),
            "duration_s": round(now.last_s - self._first_s, 3),
            "latency_ms": now.latency.summary(),
            "stage_ms": {name: histogram.summary() for name, histogram in now.stages.items()},
            "detections": self.detections,
        }

    def _rate(self, now: Mark) -> float:
        elapsed_s = now.last_s - self._first_s
        return (now.frames - 1) / elapsed_s if now.frames > 1 and elapsed_s > 0 else 0.0
