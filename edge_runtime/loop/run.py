"""The threads of one run, from their start to their end."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Callable, Iterable, Optional

from edge_runtime import sinks as sink_family
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SinkError
from edge_runtime.events.hub import EventHub
from edge_runtime.events.options import EventOptions
from edge_runtime.loop.changes import Changes
from edge_runtime.loop.detecting import Detecting
from edge_runtime.loop.ends import Ends
from edge_runtime.loop.gate import GateOptions, Gates
from edge_runtime.loop.monitor import Monitor
from edge_runtime.loop.outbox import Reader
from edge_runtime.loop.outputs import Outputs
from edge_runtime.loop.ring import Inbox, Lease, Ring
from edge_runtime.loop.rules import RuleBook
from edge_runtime.loop.status import RunStatus
from edge_runtime.loop.streams import Streams
from edge_runtime.loop.turns import Turns
from edge_runtime.loop.view import View
from edge_runtime.loop.watching import Recorder
from edge_runtime.sources import Source, states
from edge_runtime.types import Result

INBOX_DEPTH = 2
TICK_S = 0.25
GRACE_S = 5.0  # after the end was asked for, a sink or source that hangs for this time is left behind
HINT = "is its disk or its reader still there? all results before are written"


class Run:
    """See `Pipeline`. All threads are daemons, so a thread that hangs in a driver or a disk cannot keep the process."""

    def __init__(
        self,
        detector: Detector,
        ends: Ends,
        *,
        max_frames: Optional[int],
        duration_s: Optional[float],
        warmup: int,
        fail_fast: bool,
        rules: RuleBook,
        gate: Optional[GateOptions],
        events: EventOptions = EventOptions(),
        recorder: Optional[Recorder] = None,
    ) -> None:
        self.recorder = recorder
        self.monitor, self._ends, self._fail_fast = Monitor(), ends, fail_fast
        self._stopping, self._done, self._ending = threading.Event(), threading.Event(), threading.Lock()
        self.rules = rules
        self.inbox = Inbox(depth=INBOX_DEPTH)
        self.detecting = Detecting(
            Turns(detector, warmup), self.inbox, self._deliver, self._stopping, max_frames=max_frames, rules=rules,
            gone=self._gone, gates=None if gate is None else Gates(gate), recorder=recorder,
        )  # fmt: skip
        self.streams = Streams(
            ends.sources, self.inbox, self._stopping, self._source_failed, gate is not None, ends.shown
        )  # fmt: skip
        self.outputs = Outputs(self._sink_failed, self.stop, self._may_wait, GRACE_S)
        for sink in ends.sinks:
            self.outputs.add(sink, ends.only[id(sink)].name if id(sink) in ends.only else None)
        self.status = RunStatus(self.monitor, lambda: self.streams.dropped)
        for sink in ends.sinks:
            sink_family.observe(sink, self._view)
        self.changes = Changes(
            ends, rules, self.detecting, self.streams, self.outputs, view=self._view, added=self._make_events,
            began=lambda: self._started, grace_s=GRACE_S,
        )  # fmt: skip
        self._about_events = events
        self.events = self._hub() if self.outputs.events else None
        self._errors = list(ends.errors)
        self._thread = threading.Thread(target=self._detect, name="detect", daemon=True)
        self._timer = None if duration_s is None else threading.Timer(duration_s, self.stop)
        self._asked_s: Optional[float] = None
        self._started = self._running = self._finished = False

    def _hub(self) -> EventHub:
        def ended(names: Iterable[str]) -> Iterable[str]:
            return set(names) - self.streams.reading

        lost_s = max((track.lost_s for track in self.rules.tracks), default=0.0)
        hub = EventHub(self.outputs.offer, self._about_events, lost_s, self._sink_failed, ended)
        hub.status, hub.states = self.status, lambda: states(list(self._ends.sources))
        return hub

    def _view(self) -> View:
        return View(self.detecting, self.streams, self.outputs, self.status, self._done.is_set)

    def _may_wait(self) -> bool:
        """Whether a slow sink of events may stop the run for a while."""
        return self._asked_s is None and not any(source.live for source in self._ends.sources)

    def reader(self) -> Reader:
        """Adds a caller who reads the results. Call it before `start`."""
        return self.outputs.reader()

    def _make_events(self) -> None:
        """Makes events from now on, if the first output that takes them has come."""
        if self.events is None and self.outputs.events:
            hub = self._hub()
            if self._running:
                hub.start()
            self.events = hub

    def start(self) -> None:
        """Starts everything.

        Raises:
            UsageError: another pipeline runs the detector.
        """
        self.detecting.turns.claim()
        self._started = True
        try:
            self._thread.start()
        except RuntimeError:  # the system gives no more threads
            self._started = False
            self.detecting.turns.release()
            raise
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def wait(self, tick: Callable[[], None] = lambda: None) -> None:
        """Waits until all results are written, or what hangs is left behind. Calls `tick` a few times a second."""
        while not self._done.wait(TICK_S):
            tick()
            self._leave_hanging()

    def stop(self) -> None:
        """See `Pipeline.stop`."""
        self._asked_s = self._asked_s or perf_counter()
        self._stop_capturing()

    def finish(self) -> None:
        """Waits for every thread except those that hang, and closes everything. It may be called more than once.

        Raises:
            EdgeError: the first failure.
        """
        with self._ending:
            if self._started and not self._finished:
                self.wait()
                self._thread.join()
                self._close_sources()
                if self._timer and self._timer.ident is not None:
                    self._timer.cancel()
                    self._timer.join()
            self.detecting.turns.release()
            self._ends.close()
            self._finished = True
        if self._errors:
            raise self._errors[0]

    def close(self) -> None:
        """Ends a run that goes on. If it never began, closes what was opened for it."""
        if not self._started:
            self._ends.close()
        elif not self._finished:
            self.stop()
            for outbox in self.outputs.boxes:
                if isinstance(outbox, Reader):
                    outbox.leave()
            self.finish()

    def _gone(self, number: int) -> None:
        if self.events:
            self.events.forget(self.streams.name(number), number)
        self.outputs.gone(number)

    def _leave_hanging(self) -> None:
        for outbox in self.outputs.hanging(self._asked_s) if self._asked_s is not None else ():
            outbox.leave()
            self._errors.append(SinkError(self._ends.leave(outbox.name, GRACE_S), hint=HINT))

    def _close_sources(self) -> None:
        for name in self.streams.close(GRACE_S):
            self._ends.leave(name, GRACE_S)

    def _stop_capturing(self) -> None:
        self._stopping.set()
        self.inbox.drop_waiting()

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        if self.recorder:
            self.recorder.fault("run", "", error)
        self.stop()

    def _sink_failed(self, name: str, error: BaseException) -> None:
        """Notes a failed sink. Its earlier results are written. The run ends if it was the last sink."""
        others = not self.outputs.broken
        self._errors.append(error)
        if self.recorder:
            self.recorder.fault("sink", name, error)
        self._ends.report_sink(name, error, others)
        if not others:
            self.stop()

    def _source_failed(self, source: Source, error: BaseException) -> None:
        """Notes a failed source. Its earlier frames are still processed."""
        self._errors.append(error)
        if self.recorder:
            self.recorder.fault("source", source.name, error)
        self._ends.report(source.name, error)
        if self._fail_fast:
            self.stop()

    def _detect(self) -> None:
        try:
            self._ends.hand_over()
            if self.recorder:
                self.recorder.start()
            with self.changes.lock:
                self.outputs.start()
                if self.events:
                    self.events.start()
                self._running = True
            self.detecting.warm_up()
            self.streams.start(self._ring)
            self.detecting.run()
        except BaseException as error:
            self._fail(error)
        finally:
            self._stop_capturing()
            if self.events:
                self.events.finish()
            self.outputs.end()
            if self.recorder:
                self.recorder.end()
            self._done.set()

    def _ring(self) -> Ring:
        """The buffers of one source."""
        held = self.detecting.holds + self.outputs.holds + (self.recorder.holds if self.recorder else 0)
        return Ring(1 + INBOX_DEPTH + held, self.detecting.allocate)

    def _deliver(self, lease: Lease, result: Result) -> None:
        self.monitor.write(result)
        self.streams.write(lease.source, result)
        if self.recorder:
            self.recorder.see(lease, result)
        if self.events:
            self.events.see(result, lease.live, lease.restarts, lease.source)
        self.outputs.put(lease, result)
