"""Pipeline: sources -> detector -> sinks, each in its own thread, with shared buffers.

capture thread per source -> inbox (live: newest wins; file: every frame) -> detecting thread, two slots in flight
-> one thread and bounded queue per sink. A slow sink never stops a live source: its frames are dropped and counted.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Type, Union

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import UsageError
from edge_runtime.events.options import EventOptions
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.loop.changing import AnySource, Changing
from edge_runtime.loop.ends import Ends
from edge_runtime.loop.gate import GateOptions
from edge_runtime.loop.outbox import Reader
from edge_runtime.loop.rules import RuleBook, check_events
from edge_runtime.loop.run import Run
from edge_runtime.loop.targets import AnyPath, list_sinks, list_streams
from edge_runtime.loop.watching import Recorder
from edge_runtime.sinks import AnySink, SinkOptions
from edge_runtime.sources import SourceOptions
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Result

LIMITS = {
    "max_frames": fields.optional(fields.whole(1, 10**9)),
    "duration_s": fields.optional(fields.number(0, 1e9, above=True)),
    "warmup": fields.whole(0, 10_000),
}


class Pipeline(Changing):
    """Runs a detector over sources and passes every result to sinks, or to the caller who iterates.

        for result in Pipeline(detector, "street.mp4"):
            print(result.frame.index, len(result.detections))
        with Pipeline(detector, 0, ["out.mp4", "out.jsonl"]) as pipeline:
            pipeline.run()

    It runs once, by `run` or by iteration. The end of the run closes its sources and sinks, also those that were passed
    open. If a pipeline never ran, `close` or the end of `with` closes what it opened itself. A constructor that fails
    does the same.

    Args:
        detector: an open detector. It stays open afterwards. While the pipeline runs, it refuses other callers.
        source: one source or several, open or as URI, path or camera number. Of several with the same name, the second
            gets the name `name (2)`, the third `name (3)`. A `Stream` is a source with settings of its own.
        sinks: one sink or several for the results, open or as path or URI. They are opened before the sources.
        max_frames: stop after this many results.
        duration_s: stop after this many seconds.
        warmup: number of runs on an empty image before the first frame. They are not counted.
        source_options: options for the sources that it opens.
        sink_options: options for the sinks that it opens. The model's class names are added, if there are none.
        fail_fast: if one of several sources fails, the run ends or does not start. Without it, the failure is reported
            at once (to the logger "edge_runtime") and in `summary`, the others go on, and the end raises the error.
            A live source is no failure while it is away: it is tried again (`states`, `SourceOptions.max_tries`). Of
            several, it may also be away at the start.
        track: gives boxes the ids of their objects, `Detections.tracker_id`. Each source has ids of its own, from 1 on.
            None for no ids.
        events: how often events come. A sink with `take` gets them; see `sinks.EventSink`. Without `track` there are
            no objects in them, only counts of boxes, and states.
        gate: frames of a video or a camera in which nothing moves are not inferred. Their results repeat the boxes of
            the last frame that was, and have `Result.gated`. None infers all frames. See `gate.Gates`.
        record: a `BlackBox`, which keeps the last minute and writes it into a file after a fault.

    A sink that fails is reported in the same way, and the others go on. The run ends when the last one has failed.

    Attributes:
        pace: `pace.fps` limits the frames per second. A live source's other frames are dropped and counted.

    Raises:
        SinkError, SourceError: an output or every source cannot be opened.
        UsageError: an argument is not a detector, source or sink.
    """

    def __init__(
        self,
        detector: Detector,
        source: Union[AnySource, Sequence[AnySource]],
        sinks: Union[AnyPath, AnySink, Sequence[Union[AnyPath, AnySink]]] = (),
        *,
        max_frames: Optional[int] = None,
        duration_s: Optional[float] = None,
        warmup: int = 2,
        source_options: SourceOptions = SourceOptions(),
        sink_options: SinkOptions = SinkOptions(),
        fail_fast: bool = False,
        track: Optional[TrackOptions] = None,
        events: EventOptions = EventOptions(),
        gate: Optional[GateOptions] = None,
        record: Optional[Recorder] = None,
    ) -> None:
        limits = {"max_frames": max_frames, "duration_s": duration_s, "warmup": warmup}
        check_fields(limits, LIMITS, "", UsageError)
        if not isinstance(detector, Detector):
            raise UsageError(f"detector is of type {type(detector).__name__}", hint="open one with Detector.open(path)")
        rules = RuleBook(detector, track)
        made = [(stream, rules.made(stream)) for stream in list_streams(source)]
        check_events(list_sinks(sinks), made)
        labels = sink_options.labels or detector.model.spec.labels
        ids = any(of.track for _, of in made)
        options = replace(sink_options, labels=labels, ids=ids)
        ends = Ends(source, sinks, source_options, options, fail_fast, record)
        for name, stream in ends.streams.items():
            rules.set(name, rules.made(stream))
        run = Run(
            detector, ends, max_frames=max_frames, duration_s=duration_s, warmup=warmup, fail_fast=fail_fast,
            rules=rules, gate=gate, events=events, recorder=record,
        )  # fmt: skip
        super().__init__(run, ends, gate is not None, source_options)
        self.pace, self._used = run.detecting.pace, False
        if record is not None:
            record.follow(self)

    def run(self, tick: Callable[[], None] = lambda: None) -> Dict[str, Any]:
        """Runs until the end of the sources, `stop()`, Ctrl-C, or the first error. Sinks are always finished.

        Args:
            tick: called a few times a second in the calling thread.

        Returns:
            `summary()`.

        Raises:
            SourceError, SinkError, EdgeError: the first failure. All results before it were written.
            UsageError: it ran before, it is closed, or another pipeline runs the detector.
        """
        self._use()
        try:
            self._run.start()
            self._run.wait(tick)
        except KeyboardInterrupt:
            self.stop()
        except BaseException:
            self.stop()
            raise
        finally:
            self._run.finish()
        return self.summary()

    def __iter__(self) -> Iterator[Result]:
        """Yields results in order. A frame's image is reused after the caller has released it.

        Raises:
            UsageError: see `run`.
        """
        self._use()
        return self._results(self._run.reader())

    def _results(self, reader: Reader) -> Iterator[Result]:
        try:
            self._run.start()
            for lease, result in reader:
                yield result
                del result
                lease.release()
            self._run.wait()
        except BaseException:
            self.stop()
            raise
        finally:
            reader.leave()
            self._run.finish()

    def stop(self) -> None:
        """Ends the run soon. No new frame is captured. Frames in work are still finished and written.

        A sink or source that hangs meanwhile is left behind after `run.GRACE_S` seconds, and its name is reported.
        """
        self._run.stop()

    def close(self) -> None:
        """Ends the run and closes what is open. It may be called more than once. No run can begin any more.

        Raises:
            SourceError, SinkError, EdgeError: the failure of a run that it had to end.
        """
        self._used = True
        self._run.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _use(self) -> None:
        if self._used:
            raise UsageError("this pipeline ran already, or is closed", hint="make a Pipeline for each run")
        self._used = True
