"""Pipeline: sources -> detector -> sinks, each in its own thread, over leased buffers.

capture thread per source -> inbox (live: newest wins; file: every frame) -> detecting thread, two slots in flight
-> one thread and bounded queue per sink. A stalled sink never stalls a live source: its frames are dropped and counted.
"""

from __future__ import annotations

import threading
from collections import deque
from time import perf_counter
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from edge_runtime import sinks as sink_family
from edge_runtime import sources as source_family
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.loop.monitor import Monitor
from edge_runtime.loop.outbox import Outbox, Reader, SinkThread
from edge_runtime.loop.pace import Pace
from edge_runtime.loop.ring import Inbox, Lease, Ring
from edge_runtime.loop.targets import Path, SourceTarget, list_sinks, list_sources
from edge_runtime.sinks import Sink, SinkOptions
from edge_runtime.sources import Source
from edge_runtime.types import Detections, Result

INBOX_DEPTH = 2
SINK_DEPTH = 2
JOIN_S = 5.0
LIMITS = {
    "max_frames": fields.optional(fields.whole(1, 10**9)),
    "duration_s": fields.optional(fields.number(0, 1e9, above=True)),
    "warmup": fields.whole(0, 10_000),
}
InFlight = Deque[Tuple[int, List[Lease]]]


class Pipeline:
    """Runs a detector over sources and hands every result to sinks, or to the caller who iterates.

        for result in Pipeline(detector, "street.mp4"):
            print(result.frame.index, len(result.detections))
        Pipeline(detector, 0, ["out.mp4", "out.jsonl"]).run()

    Args:
        detector: an open detector; it stays open afterwards.
        source: one source or several, open or as URI, path or camera number.
        sinks: where results go, one or several, open or as path or URI.
        max_frames: stop after this many results.
        duration_s: stop after this many seconds.
        warmup: runs on an empty image before the first frame, not counted anywhere.

    Attributes:
        monitor: what has been counted so far.
        pace: `pace.fps` limits the frames looked at; those of a live source that are not are dropped and counted.
    """

    def __init__(
        self,
        detector: Detector,
        source: Union[SourceTarget, Source, Sequence[Union[SourceTarget, Source]]],
        sinks: Union[Path, Sink, Sequence[Union[Path, Sink]]] = (),
        *,
        max_frames: Optional[int] = None,
        duration_s: Optional[float] = None,
        warmup: int = 2,
    ) -> None:
        limits = {"max_frames": max_frames, "duration_s": duration_s, "warmup": warmup}
        check_fields(limits, LIMITS, "", UsageError)
        if not isinstance(detector, Detector):
            raise UsageError(f"detector is of type {type(detector).__name__}", hint="Detector.open(path) gives one")
        self.sources: List[Source] = [source_family.open(s) if isinstance(s, str) else s for s in list_sources(source)]
        self.monitor = Monitor()
        self._detector, self._backend = detector, detector.backend
        options = SinkOptions(labels=detector.model.spec.labels)
        opened = [sink_family.open(s, options) if isinstance(s, str) else s for s in list_sinks(sinks)]
        for sink in opened:
            sink_family.begin(sink, {source.name: source.fps or 30.0 for source in self.sources})
        self._outboxes: List[Outbox] = [SinkThread(sink, SINK_DEPTH, self._fail, self.stop) for sink in opened]
        self._max_frames, self._duration_s, self._warmup = max_frames, duration_s, warmup
        self.pace = Pace()
        self._next: Optional[Detector] = None
        self._inbox = Inbox([s.live for s in self.sources], INBOX_DEPTH)
        self._stopping = threading.Event()
        self._done = threading.Event()
        self._errors: List[BaseException] = []
        self._threads: List[threading.Thread] = []

    def run(self, tick: Callable[[], None] = lambda: None) -> Dict[str, Any]:
        """Runs to the end of the sources, `stop()`, Ctrl-C, or the first error; sinks are always finished.

        Args:
            tick: called a few times a second in the calling thread.

        Returns:
            `summary()`.

        Raises:
            SourceError, SinkError, EdgeError: the first thing that went wrong, after everything before it was written.
        """
        self._start()
        try:
            while not self._done.wait(0.25):
                tick()
        except KeyboardInterrupt:
            self.stop()
        self._finish()
        return self.summary()

    def __iter__(self) -> Iterator[Result]:
        """Results in order; a frame's image is reused once the caller has let go of it."""
        reader = Reader(SINK_DEPTH)
        self._outboxes.append(reader)
        self._start()
        try:
            for lease, result in reader:
                yield result
                del result
                lease.release()
        finally:
            self.stop()
            reader.abandon()
            self._finish()

    def stop(self) -> None:
        """Ends the run soon: nothing new is captured, what is in flight is still finished and written."""
        self._stopping.set()
        self._inbox.drop_waiting()

    def swap(self, detector: Detector) -> None:
        """Goes on with another detector, from the next frame on; it stays open afterwards, as does the one before.

        Raises:
            UsageError: see `check_swap`.
        """
        self.check_swap(detector)
        detector.warm_up(self._warmup)
        self._next = detector

    def check_swap(self, detector: Detector) -> None:
        """Nothing, where a detector may take over.

        Raises:
            UsageError: it has other classes, or needs more frames at once.
        """
        old, new = self._detector, detector
        if new.model.spec.labels != old.model.spec.labels:
            raise UsageError("engines of different classes cannot take turns", hint="give engines of one data set")
        if new.backend.slots * new.backend.batch > self._backend.slots * self._backend.batch:
            raise UsageError("an engine of a bigger batch cannot take over", hint="begin with the biggest batch")

    @property
    def dropped(self) -> List[int]:
        """Frames of each live source that were replaced by a newer one before they were looked at."""
        return self._inbox.dropped

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON: what the monitor counted, and what was dropped or skipped where."""
        names = [source.name for source in self.sources]
        return {
            "backend": self._backend.description,
            **self.monitor.summary(),
            "dropped": dict(zip(names, self.dropped)),
            "sinks": {box.name: box.summary() for box in self._outboxes},
            "skipped": [item for source in self.sources for item in source.skipped],
        }

    def _start(self) -> None:
        held_by_sinks = len(self._outboxes) * (SINK_DEPTH + 1)
        size = 1 + INBOX_DEPTH + self._backend.slots * self._backend.batch + held_by_sinks
        for outbox in self._outboxes:
            outbox.start()
        self._spawn(self._detect, size)
        if self._duration_s is not None:
            timer = threading.Timer(self._duration_s, self.stop)
            timer.daemon = True
            timer.start()

    def _spawn(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, name=work.__name__.strip("_"), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self.stop()

    def _finish(self) -> None:
        """Waits for the threads; a source that hangs in the driver is left behind, its thread is a daemon."""
        self._done.wait()
        for source in self.sources:
            source.close()
        for thread in self._threads:
            thread.join(JOIN_S)
        if self._errors:
            raise self._errors[0]

    def _capture(self, number: int, source: Source, ring: Ring) -> None:
        try:
            while not self._stopping.is_set():
                lease = ring.take(0.25)
                if lease is not None and not self._read(number, source, lease):
                    break
        except Exception as error:  # frames before it were good and are still processed
            self._errors.append(error)
        finally:
            self._inbox.end(number)

    def _read(self, number: int, source: Source, lease: Lease) -> bool:
        started = perf_counter()
        frame = source.read(lease.buffer)
        if frame is None:
            return False
        lease.fill(frame)
        lease.source, lease.live, lease.arrived_s = number, source.live, perf_counter()
        lease.capture_ms = (lease.arrived_s - started) * 1e3
        return self._inbox.put(lease)

    def _detect(self, ring_size: int) -> None:
        try:
            self._detector.warm_up(self._warmup)
            for number, source in enumerate(self.sources):
                self._spawn(self._capture, number, source, Ring(ring_size))
            self._loop()
        except BaseException as error:
            self._fail(error)
        finally:
            self.stop()
            for outbox in self._outboxes:
                outbox.end()
            self._done.set()

    def _loop(self) -> None:
        free, in_flight, taken = deque(range(self._backend.slots)), deque(), 0  # type: Deque[int], InFlight, int
        while True:
            if self._next and not in_flight:
                self._detector, self._next = self._next, None
                self._backend = self._detector.backend
                free = deque(range(self._backend.slots))
            leases: List[Lease] = []
            while free and not self._next and len(leases) < self._backend.batch and taken != self._max_frames:
                idle = not leases and not in_flight
                lease = self._inbox.get(block=idle) if self._due(idle) else None
                if lease is None:
                    break
                self.pace.taken()
                leases.append(lease)
                taken += 1
            if leases:
                slot = free.popleft()
                self._backend.enqueue(slot, [lease.frame.image for lease in leases if lease.frame])
                in_flight.append((slot, leases))
            elif in_flight:
                slot, leases = in_flight.popleft()
                self._deliver(slot, leases)
                free.append(slot)
            elif not self._next:
                return

    def _due(self, idle: bool) -> bool:
        """Whether the next frame may be taken; where nothing else is to be done, it waits for that."""
        if idle:
            self._stopping.wait(self.pace.wait_s)
        return idle or not self.pace.wait_s

    def _deliver(self, slot: int, leases: List[Lease]) -> None:
        boxes, counts = self._backend.wait(slot)
        stages = self._backend.stage_ms(slot)
        labels = self._detector.model.spec.labels
        for number, lease in enumerate(leases):
            assert lease.frame is not None
            frame, found = lease.frame, Detections.from_rows(boxes[number, : counts[number]], labels)
            found.source, found.path, found.image_wh = frame.source, frame.path, frame.image_wh
            result = Result(
                frame,
                found,
                {"capture": lease.capture_ms, **stages},
                (perf_counter() - lease.arrived_s) * 1e3,
            )
            self.monitor.write(result)
            for outbox in self._outboxes:
                outbox.put(lease, result)
            lease.release()
