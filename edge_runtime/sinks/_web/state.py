"""What the page knows of a run: the newest figures, those of the last minutes, and the last events."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, deque
from math import isfinite
from numbers import Real
from typing import Any, Callable, Deque, Dict, Iterable, List, Mapping, MutableMapping, Optional, Tuple

from edge_runtime.text.escape import printable
from edge_runtime.types.events import REMOVED, Event

HISTORY = 300  # points of a chart: one a second, 5 minutes
MOST_EVENTS, MOST_PICTURES, MOST_SOURCES = 50, 100, 64
OBJECTS = ("new", "update", "end", "crossing")
SHOWN = ("label", "tracker_id", "confidence", "line", "direction", "duration_s", "why")  # of an object's event
FIGURES = ("fps", "power_w", "temperature_c", "fps_per_watt")


class State:
    """Collects events. One thread adds, others read.

    Attributes:
        tell: called with the name and the data of each news, in the thread that adds.
    """

    def __init__(self) -> None:
        self.tell: Callable[[str, Any], None] = lambda name, data: None
        self._lock = threading.Lock()
        self._status: Dict[str, Any] = {}
        self._history: Deque[Dict[str, Any]] = deque(maxlen=HISTORY)
        self._sources: Dict[str, Any] = {}
        self._counts: Dict[str, Any] = {}
        self._in_view: Dict[str, Deque[List[float]]] = {}
        self._by_source: Tuple[MutableMapping[str, Any], ...] = (self._sources, self._counts, self._in_view)
        self._events: Deque[Dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self.taken = 0

    def take(self, event: Event) -> None:
        """Adds an event. Kinds that it does not know are left out."""
        self.taken += 1
        with self._lock:
            news = self._add(event)
        if news is not None:
            self.tell(*news)

    def forget(self, sources: Iterable[str]) -> None:
        """Keeps no state and no counts of these sources. Their last events stay."""
        with self._lock:
            for source in map(printable, sources):
                for known in self._by_source:
                    known.pop(source, None)

    def snapshot(self) -> Dict[str, Any]:
        """Everything as plain data for JSON."""
        with self._lock:
            return {
                "status": self._status,
                "history": list(self._history),
                "sources": dict(self._sources),
                "counts": dict(self._counts),
                "in_view": {name: list(points) for name, points in self._in_view.items()},
                "events": list(self._events),
            }

    def picture(self, key: str) -> Optional[bytes]:
        """The picture of an object, as a JPEG file; None if there is none any more."""
        return self._pictures.get(key)

    def _add(self, event: Event) -> Any:
        data, source = plain(event.data), printable(event.source)
        if event.kind == "status":
            self._status = data
            self._history.append(_point(event.time_s, data))
            return "status", {"status": data, "point": self._history[-1]}
        if event.kind == "source" and self._has_room(self._sources, source):
            self._sources[source] = data
            return "source", {"source": source, "data": data}
        if event.kind == "counts" and self._has_room(self._counts, source):
            return "counts", self._count(event.time_s, source, data)
        return ("object", self._object(event, source, data)) if event.kind in OBJECTS else None

    def _has_room(self, known: Dict[str, Any], source: str) -> bool:
        return source in known or len(known) < MOST_SOURCES

    def _count(self, time_s: float, source: str, data: Dict[str, Any]) -> Dict[str, Any]:
        self._counts[source] = data
        if self._sources.get(source, {}).get("state") == REMOVED:  # a file, which has no state, came under the name
            del self._sources[source]
        total = sum(count for count in data.get("in_view", {}).values() if isinstance(count, int))
        self._in_view.setdefault(source, deque(maxlen=HISTORY)).append([time_s, total])
        return {"source": source, "data": data, "point": [time_s, total]}

    def _object(self, event: Event, source: str, data: Dict[str, Any]) -> Dict[str, Any]:
        if event.picture is not None:
            self._pictures[event.key] = event.picture
            self._pictures.move_to_end(event.key)
            while len(self._pictures) > MOST_PICTURES:
                self._pictures.popitem(last=False)
        shown = {name: data[name] for name in SHOWN if name in data}
        head = {"event": event.kind, "time": event.time_s, "source": source, "key": printable(event.key)}
        said = {**head, "picture": event.key in self._pictures, "number": event.number, **shown}
        if event.kind != "update":  # the list on the page says what happened, not that it goes on
            self._events.append(said)
        return said


def dumps(data: Any) -> bytes:
    """JSON that every browser reads, ASCII."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode("ascii")


def plain(value: Any) -> Any:
    """Data for `dumps`: texts can be printed, and a number that is not finite is None."""
    if isinstance(value, Mapping):
        return {printable(str(name)): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, Real):
        return float(value) if isfinite(value) else None
    return printable(str(value))


def _point(time_s: float, data: Mapping[str, Any]) -> Dict[str, Any]:
    latency = data.get("latency_ms")
    times = {f"latency_{name}": latency.get(name) for name in ("p50", "p95")} if isinstance(latency, dict) else {}
    return {"time": time_s, **{name: data.get(name) for name in FIGURES}, **times}
