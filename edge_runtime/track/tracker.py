"""Gives boxes the ids of their objects: for one source, or for all sources of a pipeline."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError, UsageError
from edge_runtime.native.tracking import ByteTrack
from edge_runtime.track.counting import LineCounter, Seen, ZoneCounter, restored
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Detections, Frame
from edge_runtime.types.places import PlaceStates

FIXED = "match_iou", "low_match_iou", "lost_s", "min_hits", "by_class"  # of options; tracks depend on them
MOST_ID = 1 << 30  # ids are int32, and later ones must fit too
PICTURES_PER_SECOND = 30.0  # pictures have no time; a folder of them counts as the frames of a video


class Tracker:
    """Tracks the objects of one source.

        tracker = Tracker()
        for image, time_s in frames:
            found = tracker.update(detector(image), time_s)
            print(found.tracker_id)

    Ids count from 1 and are never given twice.

    Attributes:
        options: those that hold now.
        objects: number of ids given so far, by class name. It counts the class in which an object got its id.
        places: the lines and zones after the last frame.
    """

    def __init__(self, options: TrackOptions = TrackOptions()) -> None:
        self.options = self._first = options
        self._core, self._given = _core(options), 0  # ids that cores before this one have given
        self.objects: Counter[str] = Counter()
        self._image_wh: Optional[Tuple[int, int]] = None
        self._time_s = 0.0
        self._lines = [(line, LineCounter(line.name, options.lost_s)) for line in options.lines]
        self._zones = [(zone, ZoneCounter(zone.name, options.lost_s)) for zone in options.zones]
        self.places = PlaceStates()

    def update(self, detections: Detections, time_s: float, least: Optional[NDArray[np.float32]] = None) -> Detections:
        """Takes the boxes of the next frame. Frames may be left out, and their rate may vary.

        Args:
            detections: boxes, best first.
            time_s: time of the frame, seconds. If it goes back, or the image has another size, all tracks end.
            least: (n,) float32, for each box in place of `track_threshold`. No box is then below `low_threshold`.

        Returns:
            The boxes with `tracker_id`, without those below `track_threshold` that belong to no object.

        Raises:
            SpecError: the time is not finite, or another thread uses the tracker.
            UsageError: a line or zone is in fractions, and the detections do not know the size of their image.
        """
        if detections.image_wh != self._image_wh or time_s < self._time_s:
            self.end_all()
        self._image_wh, self._time_s = detections.image_wh, time_s
        xyxy = np.ascontiguousarray(detections.xyxy, np.float32)
        confidence = np.ascontiguousarray(detections.confidence, np.float32)
        ids = np.empty(len(detections), np.int32)
        sure = confidence >= (np.float32(self.options.track_threshold) if least is None else least)
        as_begun = least is None and self.options.track_threshold == self._first.track_threshold
        given = confidence if as_begun else self._shifted(confidence, sure)
        self._core.update(xyxy, given, np.ascontiguousarray(detections.class_id, np.int32), time_s, ids)
        ids[ids > 0] += self._given
        tracked = replace(detections, tracker_id=ids)
        kept = sure | (ids > 0)
        tracked = tracked if kept.all() else tracked[kept]
        self._count(tracked)
        if self._lines or self._zones:
            self.places = self._places(tracked)
        return tracked

    def change(self, options: TrackOptions) -> None:
        """Goes on with other thresholds, lines and zones. A place that stays as it was goes on with its counts.

        Raises:
            UsageError: something else is different, which the tracks depend on.
        """
        check_change(self.options, options)
        self._take(options)

    def restart(self, options: TrackOptions) -> None:
        """Ends all tracks, and goes on with any other options. Ids and counts go on."""
        self.end_all()
        self._core, self._first, self._given = _core(options), options, sum(self.objects.values())
        self._take(options)

    def _take(self, options: TrackOptions) -> None:
        lines, zones = dict(self._lines), dict(self._zones)
        self._lines = [(line, lines.get(line) or LineCounter(line.name, options.lost_s)) for line in options.lines]
        self._zones = [(zone, zones.get(zone) or ZoneCounter(zone.name, options.lost_s)) for zone in options.zones]
        self.options, self.places = options, PlaceStates()

    def state(self) -> Dict[str, Any]:
        """All that the next frames depend on, as plain data; see `restored`."""
        tracks, time_s, last_id = self._core.state()
        return {
            "first": [self._first.track_threshold, self._first.low_threshold],
            "core": [tracks.tolist(), time_s, last_id], "objects": dict(self.objects),
            "given": self._given, "image_wh": self._image_wh, "time_s": self._time_s,
            "lines": [counter.state() for _, counter in self._lines],
            "zones": [counter.state() for _, counter in self._zones],
        }  # fmt: skip

    @classmethod
    def restored(cls, state: Mapping[str, Any], options: TrackOptions) -> Tracker:
        """A tracker that goes on where another one with these options was, and gives the same ids.

        Raises:
            SpecError: it is not the state of such a tracker.
        """
        try:
            first, low = state["first"]
            tracker = cls(replace(options, track_threshold=first, low_threshold=low))
            tracker.change(options)
            tracks, time_s, last_id = state["core"]
            tracker._core.restore(np.array(tracks, np.float64).reshape(len(tracks), 25), float(time_s), last_id)
            tracker.objects = restored(state["objects"])
            wh, tracker._given = state["image_wh"], int(state["given"])
            if not 0 <= tracker._given <= last_id + tracker._given <= MOST_ID:
                raise ValueError("an id is too large")
            tracker._image_wh, tracker._time_s = wh and (int(wh[0]), int(wh[1])), float(state["time_s"])
            for (_, line), was in zip(tracker._lines, state["lines"]):
                line.restore(was)
            for (_, zone), was in zip(tracker._zones, state["zones"]):
                zone.restore(was)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SpecError(f"this is not the state of a tracker: {error}", hint="pass what state() gave") from error
        return tracker

    def end_all(self) -> None:
        """Ends all tracks, because the next frame shows something else. Later objects get new ids."""
        self._core.end_all()
        for _, line in self._lines:
            line.end_all()
        for _, zone in self._zones:
            zone.end_all()

    def summary(self) -> Dict[str, Any]:
        """Plain data: objects by class name; lines and zones by name, if there are any."""
        lines = {line.name: counter.summary() for line, counter in self._lines}
        zones = {zone.name: counter.summary() for zone, counter in self._zones}
        some = {"lines": lines, "zones": zones}
        return {"objects": dict(self.objects.most_common()), **{name: found for name, found in some.items() if found}}

    def _shifted(self, confidence: NDArray[np.float32], sure: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(n,) float32 that the core's own two thresholds sort as `sure` does. They are those of the beginning."""
        least, low = np.float32(self._first.track_threshold), np.float32(self._first.low_threshold)
        unsure = np.clip(confidence, low, np.nextafter(least, np.float32(0)))
        return np.where(sure, np.maximum(confidence, least), unsure).astype(np.float32)

    def _places(self, tracked: Detections) -> PlaceStates:
        assert tracked.tracker_id is not None
        mine = np.flatnonzero(tracked.tracker_id > 0)
        labels = [tracked.label(int(i)) for i in mine]
        seen = Seen(tracked.xyxy[mine].astype(np.float64), tracked.tracker_id[mine].tolist(), labels, self._time_s)
        wh = tracked.image_wh
        return PlaceStates(
            tuple(counter.update(seen, line.pixels(wh)) for line, counter in self._lines),
            tuple(counter.update(seen, zone.pixels(wh)) for zone, counter in self._zones),
        )

    def _count(self, tracked: Detections) -> None:
        before = sum(self.objects.values())  # ids are given in order, so a higher one is new
        assert tracked.tracker_id is not None
        self.objects.update(tracked.label(int(i)) for i in np.flatnonzero(tracked.tracker_id > before))


def _core(options: TrackOptions) -> ByteTrack:
    return ByteTrack(
        options.track_threshold, options.low_threshold, options.match_iou, options.low_match_iou,
        options.lost_s, options.min_hits, options.by_class,
    )  # fmt: skip


def _fixed(now: TrackOptions, then: TrackOptions) -> List[str]:
    """What is different of that which a tracker cannot change."""
    return [name for name in FIXED if getattr(now, name) != getattr(then, name)]


def check_change(now: TrackOptions, then: TrackOptions) -> None:
    """Refuses options that a tracker cannot go on with.

    Raises:
        UsageError: it names them.
    """
    other = _fixed(now, then)
    if other:
        raise UsageError(f"{', '.join(other)} cannot change while objects are tracked", hint="start again for that")


def time_of(frame: Frame) -> float:
    """The time of a frame among those of its source, seconds. Pictures count as the frames of a video."""
    return frame.timestamp_s if frame.path is None else frame.index / PICTURES_PER_SECOND


class SourceTrackers:
    """A tracker for each source of a pipeline. One thread calls it.

    Args:
        options: for sources that nobody gives other ones.
    """

    def __init__(self, options: TrackOptions = TrackOptions()) -> None:
        self._options = options
        self._trackers: Dict[str, Tracker] = {}
        self._beginnings: Dict[str, Tuple[int, int]] = {}

    def update(
        self,
        detections: Detections,
        frame: Frame,
        restarts: int,
        options: Optional[TrackOptions] = None,
        least: Optional[NDArray[np.float32]] = None,
        number: int = 0,
    ) -> Tuple[Detections, PlaceStates]:
        """Takes the boxes of the next frame of a source. Returns them with ids, and the source's lines and zones.

        Args:
            options: how the source is tracked from this frame on.
            least: (n,) float32; see `Tracker.update`.
            restarts: how often the source had begun again; see `sources.Source`. A new value ends its tracks.
            number: of the source. Another one under its name is another camera, and ends them too.
        """
        options, tracker = options or self._options, self._trackers.get(frame.source)
        if tracker is None:
            tracker = self._trackers[frame.source] = Tracker(options)
        elif (number, restarts) != self._beginnings[frame.source]:
            tracker.end_all()
        if tracker.options is not options:  # a source that was not tracked for a while, or came back, may have any
            (tracker.restart if _fixed(tracker.options, options) else tracker.change)(options)
        self._beginnings[frame.source] = number, restarts
        return tracker.update(detections, time_of(frame), least), tracker.places

    def state(self, source: str) -> Dict[str, Any]:
        """The state of a source's tracker as plain data, for `restore`; empty if it has none yet."""
        tracker = self._trackers.get(source)
        return {} if tracker is None else {**tracker.state(), "restarts": self._beginnings[source][1]}

    def restore(self, source: str, state: Mapping[str, Any], options: TrackOptions, number: int = 0) -> None:
        """Goes on with a source where others were.

        Args:
            number: of the source; see `update`.

        Raises:
            SpecError: see `Tracker.restored`.
        """
        if state:
            restarts = state.get("restarts", 0)
            if not isinstance(restarts, int):
                raise SpecError(f"this is not the state of a tracker: {restarts!r:.40}", hint="pass what state() gave")
            self._trackers[source] = Tracker.restored(state, options)
            self._beginnings[source] = number, restarts

    def forget(self, source: str, number: int = 0) -> None:
        """Ends the tracks of a source that was removed. Its counts stay. If it comes back, its ids go on.

        Args:
            number: of the source. If another one under its name gave frames already, nothing is to be done.
        """
        if source in self._trackers and self._beginnings[source][0] == number:
            self._trackers[source].end_all()

    def summary(self) -> Dict[str, Dict[str, Any]]:
        """Plain data by source; see `Tracker.summary`."""
        return {name: tracker.summary() for name, tracker in list(self._trackers.items())}
