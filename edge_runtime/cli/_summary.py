"""Prints edge-detect's line while it runs, and the summary at its end."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import Any, Dict, List, Optional

from edge_runtime import sinks
from edge_runtime.accuracy import evaluate
from edge_runtime.cli import _each_source, _gate, _power, _progress, _record, _states, _streams, _track
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._govern import Governing
from edge_runtime.cli._power import print_status
from edge_runtime.detect import finite
from edge_runtime.energy.efficiency import Efficiency
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.text.escape import printable


class Status:
    """Shows the live line on a terminal. Elsewhere it prints a line every few seconds."""

    def __init__(
        self, pipeline: Pipeline, efficiency: Efficiency, governing: Optional[Governing], beside: ByProducts
    ) -> None:
        from rich import status
        from rich.text import Text

        self._pipeline, self._efficiency = pipeline, efficiency
        self._parts = [
            beside.until_it_fails("the measurement", efficiency.tick),
            *([beside.until_it_fails("the governor", governing.tick)] if governing else []),
            beside.until_it_fails("the live line", self._line),
        ]
        self._rich = Text  # a plain string would be read as markup
        self._status = status.Status("starting", console=_streams.console(stderr=True))
        self._shown = ExitStack()
        self._said_s = time.monotonic()

    def __enter__(self) -> Status:
        if sys.stderr.isatty():
            self._shown.enter_context(self._status)
            self._shown.enter_context(_streams.escaped())  # rich obeys control codes in other prints meanwhile
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def show(self) -> None:
        """Call it a few times a second. A failure of the display does not harm the results."""
        for part in self._parts:
            part()

    def text(self) -> str:
        """How it goes, in one line."""
        counts = [source.frame_count for source in self._pipeline.sources]
        total = None if None in counts else sum(count or 0 for count in counts)
        counted = self._pipeline.monitor.status(self._pipeline.dropped, total)
        return "  ".join([self._efficiency.line, counted, *_states.away(self._pipeline.states)])

    def _line(self) -> None:
        terminal = sys.stderr.isatty()
        if not terminal and time.monotonic() - self._said_s < _progress.INTERVAL_S:
            return
        self._said_s = time.monotonic()
        line = self.text()
        if terminal:
            self._status.update(self._rich(printable(line)))
        else:
            print_status(line)


def _doubts(summary: Dict[str, Any]) -> List[str]:
    """What speaks against the model if its outputs are no numbers, or nothing was found on any frame."""
    bad = summary["not_finite"]
    if bad["frames"]:
        looked = f"{bad['frames']} of {bad['looked_at']} frames that were looked at"
        return [f"warning: the outputs are not finite (NaN or infinite) on {looked}: {finite.WHY}"]
    if summary["frames"] and not summary["detections"]:
        look = f"{evaluate.LOOK} {summary['engine']} PICTURES"
        return [f"warning: nothing was found on any frame; if there are objects, {look}"]
    return []


def _events(found: Dict[str, Dict[str, Any]]) -> List[str]:
    """What was lost of the events, their pictures and clips, or is not sent yet, by output."""
    said = []
    for name, about in found.items():
        events = about.get("events", {})
        why = f": {events['why']}" if events.get("why") else ""
        counts = {"events": events.get("lost"), **{what: events.get(f"{what}_lost") for what in ("pictures", "clips")}}
        said += [f"{what} lost: {count} of {name}{why}" for what, count in counts.items() if count]
        if events.get("waiting"):
            trouble = f" ({events['trouble']})" if events.get("trouble") else ""
            said.append(
                f"not sent yet: {events['waiting']} messages to {name}{trouble}; the next run with it sends them"
            )
    return said


def print_summary(summary: Dict[str, Any]) -> None:
    """Prints the summary, for people, on stderr."""
    frames, latency = summary["frames"], summary["latency_ms"]
    rate = f", {summary['fps']:.1f} FPS" if frames > 1 else ""  # one frame has no rate
    times = f", latency p50 {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms" if latency else ""
    print_status(f"{frames} frame{'s' * (frames != 1)}{rate}{times}")
    for stage, ms in summary["stage_ms"].items():
        print_status(f"  {stage:12} p50 {ms['p50']:8.2f} ms   p95 {ms['p95']:8.2f} ms")
    found = ", ".join(f"{label} {count}" for label, count in summary["detections"].items())
    print_status(f"detections: {found or 'none'}")
    for line in [*_each_source.lines(summary), *_gate.lines(summary), *_track.lines(summary), *_doubts(summary)]:
        print_status(line)
    broken = {failure.get("sink") for failure in summary["failed"]}
    written = [name for name in summary["sinks"] if name not in broken and sinks.written_path(name)]
    if written:
        print_status(f"results: {', '.join(written)}")
    for name, count in {**summary["dropped"], **{k: v.get("dropped", 0) for k, v in summary["sinks"].items()}}.items():
        if count:
            print_status(f"dropped: {count} of {name}")
    for line in _events(summary["sinks"]):
        print_status(line)
    for line in _states.lines(summary["states"]):
        print_status(line)
    for item in summary["skipped"]:
        print_status(f"skipped: {item}")
    for failure in summary["failed"]:
        print_status(f"failed: {failure.get('source') or failure['sink']}: {failure['error']}")
    for name in summary["left_behind"]:
        print_status(f"left behind: {name}")
    for line in [*_record.lines(summary), *_power.lines(summary["power"])]:
        print_status(line)
