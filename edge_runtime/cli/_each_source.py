"""What the summary says of each source, if there are several."""

from __future__ import annotations

from typing import Any, Dict, List


def lines(summary: Dict[str, Any]) -> List[str]:
    """A line for each source."""
    streams = summary.get("streams", {})
    return [f"{name}: {_line(counted)}" for name, counted in streams.items()] if len(streams) > 1 else []


def _line(counted: Dict[str, Any]) -> str:
    frames, latency = counted["frames"], counted["latency_ms"]
    parts = [f"{frames} frame{'s' * (frames != 1)}"]
    if counted["fps"]:
        parts.append(f"{counted['fps']:.1f} FPS")
    if latency:
        parts.append(f"latency p50 {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms")
    if counted["gated"]:
        joules = counted.get("saved_joules")
        saved = "" if joules is None else f" ({joules:.1f} J saved)"
        parts.append(f"{counted['gated']} not inferred{saved}")
    return ", ".join([*parts, f"detections: {sum(counted['detections'].values())}"])
