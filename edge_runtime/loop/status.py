"""What a run knows of itself, for the event "status"."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping

from edge_runtime.loop.monitor import Monitor


class RunStatus:
    """Figures of a run since the last call.

    Args:
        monitor: counts the frames.
        dropped: number of frames of each source that a newer one replaced, by name.

    Attributes:
        more: gives more of it, such as watts.
    """

    def __init__(self, monitor: Monitor, dropped: Callable[[], Mapping[str, int]]) -> None:
        self._monitor, self._dropped = monitor, dropped
        self._mark = monitor.mark()
        self.more: Callable[[], Mapping[str, Any]] = dict

    def __call__(self) -> Dict[str, Any]:
        mark = self._monitor.mark()
        counted, self._mark = self._monitor.since(self._mark, mark), mark
        figures = {"frames": mark.frames, "fps": counted["fps"] and round(counted["fps"], 2)}
        times = {"latency_ms": counted["latency_ms"], "stage_ms": counted["stage_ms"]}
        return {**figures, **times, "dropped": dict(self._dropped()), **self.more()}
