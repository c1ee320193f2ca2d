"""What a pipeline tells of its run, before, meanwhile and after it."""

from __future__ import annotations

from typing import Any, Dict, List

from edge_runtime.detect.detector import Detector
from edge_runtime.detect.finite import OutputWatch
from edge_runtime.loop import summary, view
from edge_runtime.loop.ends import Ends
from edge_runtime.loop.monitor import Monitor
from edge_runtime.loop.run import Run
from edge_runtime.loop.status import RunStatus
from edge_runtime.loop.stream import Stream
from edge_runtime.sinks import AnySink
from edge_runtime.sources import Source, states
from edge_runtime.types.packets import PacketRing


class Observed:
    """The part of a `Pipeline` that changes nothing. Any thread may read it."""

    def __init__(self, run: Run, ends: Ends, gated: bool) -> None:
        self._run, self._ends, self._gated = run, ends, gated

    @property
    def sources(self) -> List[Source]:
        """Those that are open, without those that were removed. Their own ends do not change the list."""
        return list(self._ends.sources)

    @property
    def sinks(self) -> List[AnySink]:
        """Those that are open, also of streams that were added later, but not of those that were removed."""
        return list(self._ends.sinks)

    @property
    def monitor(self) -> Monitor:
        """The counts so far."""
        return self._run.monitor

    @property
    def streams(self) -> Dict[str, Stream]:
        """By the name of each source that is open: the stream that was given for it."""
        return dict(self._ends.streams)

    @property
    def detector(self) -> Detector:
        """The detector that runs now."""
        return self._run.detecting.turns.detector

    @property
    def packets(self) -> Dict[str, PacketRing]:
        """By the name of each source of which encoded pictures are kept: the pictures."""
        return dict(self._ends.rings)

    @property
    def status(self) -> RunStatus:
        """What the event "status" says. Its attribute `more` may be set to a function that says more."""
        return self._run.status

    @property
    def watch(self) -> OutputWatch:
        """Counts the frames whose outputs are not finite."""
        return self._run.detecting.watch

    @property
    def warm(self) -> bool:
        """Whether the detector has run. From then on frames are taken."""
        return self._run.detecting.warm

    @property
    def stuck(self) -> str:
        """Why the run must be started anew; "" if it goes on."""
        return view.stuck(self._run.detecting, self._run.outputs)

    @property
    def dropped(self) -> List[int]:
        """Of each source ever, the number of frames that a newer one replaced before detection."""
        return list(self._run.inbox.dropped)

    @property
    def states(self) -> List[Dict[str, Any]]:
        """State and counts of each live source, as plain data; see `sources.SourceState.summary`."""
        return states(self.sources)

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON: the monitor's counts, dropped and skipped frames, and what failed or hung."""
        return summary.of(self._run, self._ends, self._gated)
