"""Which boxes each stream reports. The detector reports those that any stream wants; the others are left out here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import sinks as sink_family
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import UsageError
from edge_runtime.loop.stream import Stream
from edge_runtime.loop.targets import list_sinks
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Detections


class Rules:
    """The rules of one stream.

    NMS is done before, and drops only boxes that are worse than the one that stays. So what is left is what a detector
    with these thresholds reports, as long as `max_det` boxes are enough.

    Args:
        track: of the pipeline, for a stream that does not say it.

    Attributes:
        stream: what was given, with `track` in place of what the stream does not say.
        track: how its objects are tracked; None for no ids.

    Raises:
        UsageError: the detector does not report such boxes.
        SpecError: the model has no such class.
    """

    def __init__(self, stream: Stream, detector: Detector, track: Optional[TrackOptions]) -> None:
        given, labels = detector.options.thresholds, detector.model.spec.labels
        track = track if stream.track is None else (stream.track or None)  # type: ignore[assignment]
        self.stream = replace(stream, track=track or False)
        usual = given.conf if track is None else track.track_threshold
        self._least = np.full(len(labels), usual if stream.conf is None else stream.conf, np.float32)
        for name, conf in stream.class_conf.items():
            self._least[list(Thresholds(classes=(name,)).class_ids(labels))] = conf
        wanted = np.zeros(len(labels), bool)
        wanted[list(Thresholds(classes=stream.classes).class_ids(labels))] = True
        own = stream.conf is not None or stream.class_conf or isinstance(stream.track, TrackOptions)
        self._plain = not own and bool(wanted.all())
        reported = set(given.class_ids(labels))
        missing = [labels[i] for i in np.flatnonzero(wanted) if int(i) not in reported]
        if stream.classes is not None and missing:
            raise UsageError(f"the detector does not report {', '.join(missing)}", hint="open it with these classes")
        _check(stream, float(self._least[wanted].min()), given.conf)
        self.track = track
        if track is not None and not self._plain:
            conf = float(usual if stream.conf is None else stream.conf)
            low = min(track.low_threshold, float(self._least.min()))
            self.track = replace(track, track_threshold=conf, low_threshold=low)
        floor = self._least if self.track is None else np.full(len(labels), self.track.low_threshold, np.float32)
        self._floor = np.where(wanted, floor, np.float32(np.inf))

    def keep(self, found: Detections) -> Detections:
        """The boxes that the stream reports, or that its tracker needs."""
        if self._plain:
            return found
        kept = found.confidence > self._floor[found.class_id]
        return found if kept.all() else found[kept]

    def least(self, found: Detections) -> Optional[NDArray[np.float32]]:
        """(n,) float32, the confidence with which each box may begin a track; None if it is the same for all."""
        return None if self._plain else self._least[found.class_id]


class RuleBook:
    """The rules of each stream, by the name of its source. Any thread may change them: they hold from the next frame.

    Args:
        track: for streams that do not say it.
    """

    def __init__(self, detector: Detector, track: Optional[TrackOptions]) -> None:
        self._detector, self._track = detector, track
        self._rules: Dict[str, Rules] = {}
        self._usual = self.made(Stream(None))  # for an open source whose frames have another name

    def made(self, stream: Stream) -> Rules:
        """The rules of a stream.

        Raises:
            UsageError, SpecError: see `Rules`.
        """
        return Rules(stream, self._detector, self._track)

    def set(self, name: str, rules: Rules) -> None:
        """From here on these are the rules of the source of this name."""
        self._rules[name] = rules

    def of(self, name: str) -> Rules:
        """The rules of the source of this name."""
        return self._rules.get(name, self._usual)

    @property
    def tracks(self) -> List[TrackOptions]:
        """How objects are tracked, of each stream that does."""
        return [rules.track for rules in list(self._rules.values()) if rules.track is not None]


def check_events(shared: Sequence[Any], streams: Sequence[Tuple[Stream, Rules]]) -> None:
    """Refuses outputs of events where nothing is tracked.

    Args:
        shared: outputs of all streams.
        streams: each with its rules.

    Raises:
        UsageError: nothing tracks the objects that an output is about.
    """
    tracked = any(rules.track for _, rules in streams)
    wanting = [(shared, tracked), *((list_sinks(list(stream.sinks)), bool(rules.track)) for stream, rules in streams)]
    for sinks, has_objects in wanting:
        if not has_objects and any(isinstance(sink, str) and sink_family.needs_ids(sink) for sink in sinks):
            raise UsageError("events are of objects, and nothing tracks them", hint="give it: track=TrackOptions()")


def _check(stream: Stream, least: float, reported: float) -> None:
    said = stream.conf is not None or stream.class_conf
    if said and least < np.float32(reported):
        fact = f"a stream wants boxes above {least:.3g}, and the detector reports those above {reported:.3g}"
        raise UsageError(fact, hint=f"open the detector with conf={least:.3g}")
