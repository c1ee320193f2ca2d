"""Makes events of the objects of one source: new, update, end, crossing; and its counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from time import monotonic
from types import MappingProxyType
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Optional

from edge_runtime.events import pictures
from edge_runtime.events.objects import Tracked
from edge_runtime.events.options import EventOptions
from edge_runtime.track.tracker import time_of
from edge_runtime.types import Detection, Frame, Picture, Result
from edge_runtime.types.places import PlaceStates

BETTER = 1.25  # a picture replaces the best one if its score is so many times as high
CLOSE_S = 1e-3  # counts come with the frame that is next to their second
LATE_S = 5.0  # a slow detector may need so long for a frame


class Draft(NamedTuple):
    """An event before it has a number and a picture.

    Attributes:
        kind: see `Event`; "" for a picture alone, which the object's next event shows.
        time_s: see `Event`.
        key: see `Event`.
        data: see `Event`.
        picture: the part of the frame that shows the object best, if it is better than the last one.
    """

    kind: str
    time_s: float
    key: str = ""
    data: Mapping[str, Any] = MappingProxyType({})
    picture: Optional[Picture] = None


class Maker:
    """Makes the events of one source. It costs little, so that the detecting thread calls it and no result is missed.

    The clock of the source is that of its frames: media time for a file, Unix time for a live source. Durations and
    rates go by it, so a file has the same events however fast it is read. `Event.time_s` is Unix time: for a live
    source that of the frame, for a file that at which the frame was looked at.

    An object ends when the tracker forgets it: by the same rule, or when the tracker starts anew.

    Args:
        front: begins the keys of its objects.
        options: rates and pictures.
        lost_s: the tracker's; see `TrackOptions`.
        has_room: whether a picture of so many bytes may wait to be encoded.
    """

    def __init__(
        self, front: str, options: EventOptions, lost_s: float, has_room: Callable[[int], bool] = lambda size: True
    ) -> None:
        self._front, self._options, self._lost_s, self._has_room = front, options, lost_s, has_room
        self._objects: Dict[int, Tracked] = {}
        self._highest, self._restarts, self._live = 0, 0, False
        self._image_wh, self._now_s, self._seen_s = (0, 0), 0.0, 0.0
        self._counted_s = self._due_s = float("-inf")  # the last counts, and the next ones
        self._total: Counter[str] = Counter()
        self._view: Counter[str] = Counter()
        self._places = PlaceStates()

    @property
    def present(self) -> int:
        """Number of objects that have not ended."""
        return len(self._objects)

    def see(self, result: Result, live: bool, restarts: int, unix_s: float) -> Iterator[Draft]:
        """The events of the next frame.

        Args:
            live: whether its source is live.
            restarts: how often the source had begun again; see `sources.Source`.
            unix_s: Unix time now.
        """
        frame, now_s = result.frame, time_of(result.frame)
        self._seen_s = monotonic()
        at_s = round(frame.timestamp_s if live else unix_s, 3)
        if restarts != self._restarts or now_s < self._now_s or frame.image_wh != self._image_wh:
            yield from self.end("restart", at_s, counted=False)
        self._restarts, self._now_s, self._image_wh, self._live = restarts, now_s, frame.image_wh, live
        self._places = result.places or PlaceStates()
        yield from self._boxes(result, at_s)
        yield from self._crossings(frame, at_s)
        lost = [found for found in self._objects.values() if now_s - found.last_s > self._lost_s]
        yield from (self._ended(found, "lost", at_s) for found in lost)
        if now_s < self._counted_s or now_s >= self._due_s - CLOSE_S:
            yield self._counts(at_s)

    def end(self, reason: str, at_s: float, counted: bool = True) -> Iterator[Draft]:
        """All objects end. Args: counted: whether counts follow, if anything was counted since the last ones."""
        yield from (self._ended(found, reason, at_s) for found in list(self._objects.values()))
        if counted and (self._view or self._now_s > self._counted_s > float("-inf")):
            self._view.clear()
            yield self._counts(at_s)

    def check(self, unix_s: float) -> Iterator[Draft]:
        """Ends the objects of a live source that gives no frames. The tracker cannot see that."""
        if self._live and self._objects and monotonic() - self._seen_s > self._lost_s + LATE_S:
            yield from self.end("no frames", unix_s)

    def _boxes(self, result: Result, at_s: float) -> Iterator[Draft]:
        self._view = Counter()
        tracked = result.detections.tracker_id is not None
        zones = _zones(self._places)
        for box in result.detections:
            if not tracked or box.tracker_id:
                self._view[box.label] += 1
            if box.tracker_id:
                yield from self._box(box, result.frame, zones[box.tracker_id], at_s)
        self._highest = max([self._highest, *self._objects])

    def _box(self, box: Detection, frame: Frame, zones: Dict[str, float], at_s: float) -> Iterator[Draft]:
        """An id that came before, and is not among the objects, has ended. It would be late; see `check`."""
        number, kind = int(box.tracker_id or 0), "update"
        found = self._objects.get(number)
        if found is None:
            if number <= self._highest:
                return
            kind = "new"
            found = self._objects[number] = Tracked(f"{self._front}-{number}", number, self._now_s)
            self._total[box.label] += 1
        found.see(box, self._now_s, zones)
        picture = self._picture(found, box, frame)
        if kind == "new" or self._is_due(found):
            more = {"why": found.changed or "time"} if kind == "update" else {}
            yield self._draft(kind, found, {**found.now(), **more}, frame, at_s, picture)
            found.told_s, found.changed = self._now_s, ""
        elif picture is not None:
            yield Draft("", at_s, found.key, picture=picture)

    def _is_due(self, found: Tracked) -> bool:
        every_s = self._options.change_s if found.changed else self._options.update_s
        return self._now_s - found.told_s >= every_s

    def _picture(self, found: Tracked, box: Detection, frame: Frame) -> Optional[Picture]:
        score = pictures.score(box.xyxy, box.confidence, self._image_wh)
        size = int((box.xyxy[2] - box.xyxy[0]) * (box.xyxy[3] - box.xyxy[1]) * 3)
        if score <= BETTER * found.picture_score or not self._has_room(size):
            return None
        found.picture_score, found.changed = score, found.changed or "picture"
        return pictures.cut_out(frame, box.xyxy, self._options.margin)

    def _crossings(self, frame: Frame, at_s: float) -> Iterator[Draft]:
        for line in self._places.lines:
            for number, way in line.crossed:
                found = self._objects.get(number)
                if found is not None:
                    found.cross(line.name, way)
                    counts = {"in": line.in_count, "out": line.out_count}
                    data = {"line": line.name, "direction": way, **counts, **found.now()}
                    yield self._draft("crossing", found, data, frame, at_s)

    def _draft(
        self, kind: str, found: Tracked, data: Dict[str, Any], frame: Frame, at_s: float,
        picture: Optional[Picture] = None,
    ) -> Draft:  # fmt: skip
        place = {"frame": frame.index, "timestamp_s": round(self._now_s, 6)}
        return Draft(kind, at_s, found.key, {**data, **place}, picture)

    def _ended(self, found: Tracked, why: str, at_s: float) -> Draft:
        self._objects.pop(found.number, None)
        return Draft("end", at_s, found.key, {**found.whole(), "why": why})

    def _counts(self, at_s: float) -> Draft:
        self._counted_s, every_s = self._now_s, self._options.counts_s
        self._due_s = self._now_s + every_s if abs(self._now_s - self._due_s) > every_s else self._due_s + every_s
        lines = {line.name: {"in": line.in_count, "out": line.out_count} for line in self._places.lines}
        zones = {zone.name: len(zone.inside) if self._view else 0 for zone in self._places.zones}
        data: Dict[str, Any] = {"timestamp_s": round(self._now_s, 6), "in_view": dict(self._view)}
        return Draft("counts", at_s, "", {**data, "objects": dict(self._total), "lines": lines, "zones": zones})


def _zones(places: PlaceStates) -> Dict[int, Dict[str, float]]:
    """The zones that each object is in, and for how long, by its id."""
    found: Dict[int, Dict[str, float]] = defaultdict(dict)
    for zone in places.zones:
        for number, stay_s in zone.inside:
            found[number][zone.name] = stay_s
    return found
