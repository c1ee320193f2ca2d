"""What may be changed in a pipeline, before and while it runs."""

from __future__ import annotations

from typing import Optional, Union

from edge_runtime.detect.detector import Detector
from edge_runtime.loop.ends import Ends
from edge_runtime.loop.observed import Observed
from edge_runtime.loop.run import Run
from edge_runtime.loop.stream import Stream, as_stream, own_options
from edge_runtime.loop.targets import SourceTarget
from edge_runtime.sources import Source, SourceOptions

AnySource = Union[SourceTarget, Source, Stream]


class Changing(Observed):
    """The part of a `Pipeline` that changes what runs."""

    def __init__(self, run: Run, ends: Ends, gated: bool, options: SourceOptions) -> None:
        super().__init__(run, ends, gated)
        self._options = options

    def add(self, source: AnySource, options: Optional[SourceOptions] = None) -> Source:
        """Takes frames from one more source. The others go on meanwhile. Any thread may call this, at any time.

        Args:
            source: open, or a URI, a path, a camera number or a `Stream`. It is opened in the calling thread.
            options: for a source that is opened; None for those of the stream, or else of the pipeline.

        Returns:
            The open source. After `remove` its name is free again, and counts and ids of objects then go on.

        Raises:
            SinkError, SourceError, UsageError: it cannot be opened, or the run has ended.
        """
        stream = as_stream(source)
        return self._run.changes.add(stream, options or own_options(stream, self._options))

    def check(self, stream: Stream, name: Optional[str] = None) -> None:
        """Refuses a stream that cannot be added, or to which the source of this name cannot change.

        Raises:
            UsageError, SpecError: the detector does not report such boxes, or `track` of the source differs too much.
        """
        self._run.changes.check(stream, name)

    def change(self, name: str, stream: Stream) -> None:
        """Gives a source other thresholds, classes, lines and zones, from its next frame on. Any thread may call this.

        Ids and the counts of lines and zones that stay as they were go on. Source, options and sinks of `stream` are
        not looked at.

        Raises:
            UsageError: no source has this name, the detector does not report such boxes, or `track` differs in more.
        """
        self._run.changes.change(name, stream)

    def remove(self, name: str) -> None:
        """Closes a source. The others go on meanwhile. Any thread may call this.

        Frames in work are finished. Its counts stay in `summary`. The run ends without a source: first add a new one.

        Raises:
            UsageError: no source has this name.
        """
        self._run.changes.remove(name)

    def swap(self, detector: Detector) -> None:
        """Uses another detector from the next frame on. Both detectors stay open afterwards.

        Raises:
            UsageError: see `check_swap`, or another pipeline runs the detector.
        """
        self._run.detecting.turns.swap(detector)

    def check_swap(self, detector: Detector) -> None:
        """Refuses a detector that cannot take over.

        Raises:
            UsageError: it has other classes, or needs more frames at once.
        """
        self._run.detecting.turns.check_swap(detector)
