"""What a run knows of itself, for the event "status"."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional

from edge_runtime.loop.monitor import Monitor


class RunStatus:
    """Figures of a run since the last call.

    Args:
        monitor: counts the frames.
        dropped: number of frames of each source that a newer one replaced, by name.

    Attributes:
        more: gives more of it, such as "power_w".
    """

    def __init__(self, monitor: Monitor, dropped: Callable[[], Mapping[str, int]]) -> None:
        self.monitor, self._dropped = monitor, dropped
        self._mark = monitor.mark()
        self.more: Callable[[], Mapping[str, Any]] = dict

    def __call__(self) -> Dict[str, Any]:
        mark = self.monitor.mark()
        counted, self._mark = self.monitor.since(self._mark, mark), mark
        figures = {"frames": mark.frames, "fps": counted["fps"] and round(counted["fps"], 2)}
        times = {"latency_ms": counted["latency_ms"], "stage_ms": counted["stage_ms"]}
        return {**figures, **times, "dropped": dict(self._dropped()), **with_watts(self.more(), figures["fps"])}


def with_watts(more: Mapping[str, Any], fps: Optional[float]) -> Dict[str, Any]:
    """What `RunStatus.more` gives, and "fps_per_watt" if it knows "power_w". Args: fps: None without a frame."""
    watts = more.get("power_w")
    return {**more, **({"fps_per_watt": round((fps or 0.0) / watts, 3)} if watts else {})}
