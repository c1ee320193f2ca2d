"""Tells Home Assistant what there is, in the device form of MQTT discovery: one retained message for all entities."""

from __future__ import annotations

import contextlib
import json
import re
from itertools import islice
from typing import Any, Dict, Mapping, Optional, Set

from edge_runtime import __version__
from edge_runtime.sinks import _entities
from edge_runtime.sinks._entities import Entity, shown
from edge_runtime.sinks._topics import Message, Topics, level, payload
from edge_runtime.types.events import REMOVED, Event

MOST_SOURCES, MOST_CLASSES = 64, 40
MOST_EARLIER = MOST_SOURCES * (MOST_CLASSES + 2)
PLATFORMS = ("sensor", "binary_sensor", "image")
WHAT = ("state", "counts", "picture")  # topics of a source
RUNNING = ("source", "counts")  # none of them comes of a source after it was removed
_NOT_IN_AN_ID = re.compile("[^a-zA-Z0-9_-]+")  # Home Assistant ignores a topic of discovery with anything else


class Discovery:
    """Collects the sources, classes and measures of a run.

    What an earlier run announced for a source that still runs stays announced. Home Assistant removes other entities
    only if it is told: by an entry with nothing but its platform.

    Args:
        prefix: Home Assistant's, usually `homeassistant`.
        topics: of this run.

    Attributes:
        topic: of the message.
    """

    def __init__(self, prefix: str, topics: Topics) -> None:
        self._topics = topics
        self._id = f"edge_{level(topics.prefix, _NOT_IN_AN_ID)}"
        self.topic = f"{prefix}/device/{self._id}/config"
        self._classes: Dict[str, Set[str]] = {}  # by source
        self._parts: Dict[str, Set[str]] = {}  # of each source: "connection", "picture"
        self._measures: Set[str] = set()
        self._unread: Optional[bytes] = None
        self._earlier: Dict[str, Entity] = {}
        self._said: Dict[str, Entity] = {}
        self._running: Optional[Set[str]] = None  # all sources of the run, once they are known
        self._removed: Set[str] = set()  # those that it does not read any more

    def told(self, earlier: bytes) -> None:
        """The message that the broker has of an earlier run. The next `see` looks at it. From any thread."""
        self._unread = earlier

    def see(self, event: Event) -> bool:
        """Whether Home Assistant has to be told anew: of what an event shows, or of what an earlier run had."""
        changed = self._read_earlier()
        if event.kind == "status":
            return self._see_run(event.data) or changed
        return (bool(event.source) and self._see_source(event)) or changed

    def message(self) -> Message:
        """The message for all that was seen so far. What has changed is first.

        Home Assistant 2025.4 leaves out what follows an entity that it is still setting up, by an earlier message.
        """
        self._said = _newest_first(self._components(), self._said)
        data = {
            "device": {"identifiers": [self._id], "name": shown(self._topics.prefix), "manufacturer": "edge-runtime",
                       "model": "object detector", "sw_version": __version__},
            "origin": {"name": "edge-runtime", "sw_version": __version__},
            "availability_topic": self._topics.availability,
            "qos": 1,
            "components": self._said,
        }  # fmt: skip
        return Message(self.topic, payload(data), True)

    def _read_earlier(self) -> bool:
        unread, self._unread = self._unread, None
        if unread is None:
            return False
        earlier = _read(unread)
        self._earlier.update(earlier)
        return bool(earlier)

    def _see_run(self, data: Mapping[str, Any]) -> bool:
        before = len(self._measures), self._running
        self._measures.update(name for name in _entities.MEASURES if _is_number(data.get(name)))
        if isinstance(data.get("dropped"), Mapping):
            self._running = set(data["dropped"])
            self._removed &= self._running
        return (len(self._measures), self._running) != before

    def _see_source(self, event: Event) -> bool:
        if event.kind == "source" and event.data.get("state") == REMOVED:
            return self._remove(event.source)
        back = event.kind in RUNNING and event.source in self._removed
        if back:
            self._removed.remove(event.source)
        if event.source in self._removed or (event.source not in self._classes and len(self._classes) >= MOST_SOURCES):
            return back
        classes, parts = self._classes.setdefault(event.source, set()), self._parts.setdefault(event.source, set())
        before = len(classes), len(parts)
        named = event.data.get("objects") if event.kind == "counts" else None
        new = sorted(set(named) - classes) if isinstance(named, Mapping) else []
        classes.update(new[: max(0, MOST_CLASSES - len(classes))])
        parts.update(["connection"] if event.kind == "source" else [])
        parts.update(["picture"] if event.picture is not None else [])
        return back or (len(classes), len(parts)) != before

    def _remove(self, source: str) -> bool:
        """From here on it is a source of earlier. Pictures of it may still come."""
        its = self._of(source)
        self._earlier = {**{name: entity for name, entity in self._earlier.items() if name not in its}, **its}
        self._classes.pop(source, None)
        self._parts.pop(source, None)
        self._removed.add(source)
        self._forget_oldest()
        return True

    def _forget_oldest(self) -> None:
        """Of the many entities of earlier, those that were removed long ago. Home Assistant was told."""
        topics, spare = self._in_use(), len(self._earlier) - MOST_EARLIER
        gone = [name for name, entity in self._earlier.items() if "unique_id" not in self._kept(name, entity, topics)]
        for name in gone[: max(0, spare)]:
            del self._earlier[name]

    def _components(self) -> Dict[str, Entity]:
        found = self._named({name: _entities.of_measure(self._topics, name) for name in sorted(self._measures)})
        for source in self._classes:
            found.update(self._of(source))
        topics = self._in_use()
        return {**{name: self._kept(name, entity, topics) for name, entity in self._earlier.items()}, **found}

    def _of(self, source: str) -> Dict[str, Entity]:
        parts, classes = self._parts.get(source, ()), self._classes.get(source, ())
        return self._named(_entities.of_source(self._topics, source, parts, classes))

    def _named(self, entities: Dict[str, Entity]) -> Dict[str, Entity]:
        return {name: {**entity, "unique_id": f"{self._id}/{name}"} for name, entity in entities.items()}

    def _in_use(self) -> Optional[Set[str]]:
        """The topics that get values; None as long as the sources are not known."""
        if self._running is None:
            return None
        return {self._topics.status, *(
            self._topics.of_source(source, what) for source in self._running - self._removed for what in WHAT
        )}  # fmt: skip

    def _kept(self, name: str, entity: Entity, topics: Optional[Set[str]]) -> Entity:
        """An entity of an earlier run, or, if nothing sends its values any more, what removes it."""
        sent = topics is None or _entities.topic_of(entity) in topics
        return entity if sent and entity.get("unique_id") == f"{self._id}/{name}" else {"platform": entity["platform"]}


def _newest_first(entities: Dict[str, Entity], before: Dict[str, Entity]) -> Dict[str, Entity]:
    changed = {name: entity for name, entity in entities.items() if before.get(name) != entity}
    return {**changed, **{name: before[name] for name in before if name in entities and name not in changed}}


def _read(message: bytes) -> Dict[str, Entity]:
    """The entities of a message, without those that it removes; none if it is not one of ours."""
    components: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(message)
        components = said.get("components") if isinstance(said, dict) else None
    entities = components.items() if isinstance(components, dict) else ()
    whole = ((name, entity) for name, entity in entities if isinstance(entity, dict) and len(entity) > 1)
    return dict(islice((one for one in whole if one[1].get("platform") in PLATFORMS), MOST_EARLIER))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
