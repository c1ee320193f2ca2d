"""What a sink may see of a run: figures of now, and whether the run goes on."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, Callable, Dict, Set, Tuple

from edge_runtime import __version__
from edge_runtime.detect import identity
from edge_runtime.loop.detecting import Detecting
from edge_runtime.loop.monitor import Monitor
from edge_runtime.loop.outbox import summaries
from edge_runtime.loop.outputs import Outputs
from edge_runtime.loop.status import RunStatus, with_watts
from edge_runtime.loop.streams import Streams
from edge_runtime.sources import Source
from edge_runtime.sources._state import LIVE, SourceState

READING, ENDED = "reading", "ended"  # states of sources that have none of their own
STUCK_S = 30.0  # no frame and no wait for another thread takes so long,
STUCK_TIMES = 10  # unless an engine is slow: none takes so many times its longest time,
FIRST_S = 300.0  # and none so long if it has not run yet
WINDOW_S = 5.0  # rates and percentiles are of the last 5 to 10 seconds


def stuck(detecting: Detecting, outputs: Outputs) -> str:
    """Why the run must be started anew; "" if it goes on, or waits for the caller."""
    slowest_s, waits = detecting.turns.slowest_s, detecting.idle or outputs.awaits_caller
    limit_s = max(STUCK_S, STUCK_TIMES * slowest_s) if slowest_s else FIRST_S
    since_s = perf_counter() - detecting.beat_s
    if detecting.warm and not waits and since_s > limit_s:
        return f"the detecting thread has been at the same thing for {since_s:.0f} s"
    return ""


class View:
    """See `sinks.RunView`. Each sink has its own, because rates begin where it has looked before.

    Args:
        over: whether the run has ended.
    """

    def __init__(
        self, detecting: Detecting, streams: Streams, outputs: Outputs, status: RunStatus, over: Callable[[], bool]
    ) -> None:
        self._detecting, self._streams, self._outputs, self._status = detecting, streams, outputs, status
        self._over = over
        self._recent: Dict[str, Recent] = {}
        self._whole = Recent(status.monitor)
        self._build: Tuple[Any, Dict[str, str]] = (None, {})
        self._built()  # before the first frame, because reading a large file would delay one

    def figures(self) -> Dict[str, Any]:
        """Plain data: "build", "fps", "latency_ms", "streams" and "sinks" by name, and what `RunStatus.more` says.

        A stream that was removed is not in it. "fps" and percentiles are of the last seconds, counts of the whole run.
        """
        dropped, found = self._streams.dropped, {}
        for source, monitor, done in self._streams.current:
            found[source.name] = {**self._stream(source, monitor, done), "dropped": dropped.get(source.name, 0)}
        self._recent = {name: recent for name, recent in self._recent.items() if name in found}
        whole = self._whole()
        figures = {**whole, **with_watts(self._status.more(), whole["fps"])}
        return {**figures, "build": self._built(), "streams": found, "sinks": summaries(list(self._outputs.boxes))}

    def stuck(self) -> str:
        """See `RunView.stuck`."""
        if self._over():
            return "the run has ended"
        return stuck(self._detecting, self._outputs)

    def unready(self) -> str:
        """See `RunView.unready`. A detector that does not find its golden frames cannot be opened, so none is here."""
        if self.stuck() or not self._detecting.warm:
            return self.stuck() or "the engine has not run yet"
        states = {source.name: _state(source, done) for source, _, done in self._streams.current}
        if any(state in (LIVE, READING) for state in states.values()):
            return ""
        said = ", ".join(f"{name} is {state}" for name, state in states.items())
        return f"no source is live{': ' * bool(said)}{said}"

    def sources(self) -> Set[str]:
        """See `RunView.sources`."""
        return {source.name for source, _, _ in self._streams.current}

    def _stream(self, source: Source, monitor: Monitor, done: bool) -> Dict[str, Any]:
        recent = self._recent.setdefault(source.name, Recent(monitor))()
        about: Dict[str, Any] = {
            **recent,
            "state": _state(source, done),
            "gated": monitor.gated,
            "detections": monitor.detections,
        }
        state = getattr(source, "state", None)
        if isinstance(state, SourceState):
            came_s, latency_ms = state.age_s, recent["latency_ms"].get("mean")
            known = came_s is not None and latency_ms is not None and about["state"] == LIVE
            about["age_s"] = came_s + latency_ms / 1e3 if known else None
            about.update({name: getattr(state, name) for name in ("broken", "stale", "reconnects", "stalls")})
        return about

    def _built(self) -> Dict[str, str]:
        """What runs. The file of each engine is read once."""
        detector = self._detecting.turns.detector
        if self._build[0] is not detector:
            path, backend = detector.model.path, detector.backend.description
            about = {"version": __version__, "engine": Path(path).name, "backend": backend}
            self._build = detector, {**about, **identity.of_file(path)}
        return self._build[1]


class Recent:
    """What a monitor counted in the last seconds. Call it again and again."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._before = self._between = (monotonic(), *monitor.latencies())

    def __call__(self) -> Dict[str, Any]:
        """Counts and "latency_s" of the whole run, "fps" and "latency_ms" of the last seconds."""
        now_s, (frames, latency) = monotonic(), self._monitor.latencies()
        if now_s - self._between[0] >= WINDOW_S:
            self._before, self._between = self._between, (now_s, frames, latency)
        then_s, then, before = self._before
        fps = (frames - then) / (now_s - then_s) if now_s > then_s else 0.0
        return {
            "frames": frames,
            "inferred": latency.count,
            "latency_s": latency.total_ms / 1e3,
            "fps": round(fps, 2),
            "latency_ms": latency.since(before).summary(),
        }


def _state(source: Source, done: bool) -> str:
    state = getattr(source, "state", None)
    if done:
        return ENDED
    return state.name if isinstance(state, SourceState) else READING
