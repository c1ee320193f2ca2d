"""Tells Home Assistant what there is, in the device form of MQTT discovery: one retained message for all entities."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Set, Tuple

from edge_runtime import __version__
from edge_runtime.sinks._topics import Message, Topics, level, payload
from edge_runtime.text.escape import printable
from edge_runtime.types.events import Event

MOST_SOURCES, MOST_CLASSES = 64, 40
LONGEST_NAME = 80


class Discovery:
    """Collects the sources, classes and measures of a run. Args: prefix: Home Assistant's, usually `homeassistant`."""

    def __init__(self, prefix: str, topics: Topics) -> None:
        self._topics = topics
        self._id = f"edge_{level(topics.prefix).replace('.', '_')}"
        self.topic = f"{prefix}/device/{self._id}/config"
        self._sources: Dict[str, Set[str]] = {}
        self._measures: Set[str] = set()
        self._pictures: Set[str] = set()

    def see(self, event: Event) -> bool:
        """Whether an event shows something that Home Assistant does not know yet."""
        before = self._size()
        if event.kind == "status":
            self._measures.update(name for name in ("fps", "power_w") if _is_number(event.data.get(name)))
        elif event.source and (event.source in self._sources or len(self._sources) < MOST_SOURCES):
            classes = self._sources.setdefault(event.source, set())
            named = event.data.get("objects") if event.kind == "counts" else None
            for name in sorted(named) if isinstance(named, dict) else ():
                if len(classes) < MOST_CLASSES:
                    classes.add(name)
            if event.picture is not None:
                self._pictures.add(event.source)
        return self._size() != before

    def message(self) -> Message:
        """The message for all that was seen so far."""
        data = {
            "device": {"identifiers": [self._id], "name": _shown(self._topics.prefix), "manufacturer": "edge-runtime",
                       "model": "object detector", "sw_version": __version__},
            "origin": {"name": "edge-runtime", "sw_version": __version__},
            "availability_topic": self._topics.availability,
            "qos": 1,
            "components": self._components(),
        }  # fmt: skip
        return Message(self.topic, payload(data), True)

    def _size(self) -> Tuple[int, ...]:
        return len(self._sources), sum(map(len, self._sources.values())), len(self._measures), len(self._pictures)

    def _components(self) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        if "fps" in self._measures:
            found["fps"] = self._measure("Frames per second", "fps", "fps")
        if "power_w" in self._measures:
            found["power"] = {**self._measure("Power", "power_w", "W"), "device_class": "power"}
        for source, classes in self._sources.items():
            found.update(self._of_source(source, classes))
        return {name: {**entity, "unique_id": f"{self._id}_{name}"} for name, entity in found.items()}

    def _measure(self, name: str, key: str, unit: str) -> Dict[str, Any]:
        template = f"{{{{ value_json.{key} }}}}"
        common = {"platform": "sensor", "state_class": "measurement", "unit_of_measurement": unit}
        return {**common, "name": name, "state_topic": self._topics.status, "value_template": template}

    def _of_source(self, source: str, classes: Set[str]) -> Dict[str, Any]:
        front, name, topics = level(source), _shown(source), self._topics
        found: Dict[str, Any] = {
            f"{front}_connection": {
                "platform": "binary_sensor", "device_class": "connectivity", "name": f"{name} connection",
                "state_topic": topics.of_source(source, "state"),
                "value_template": "{{ 'ON' if value_json.state == 'live' else 'OFF' }}",
            }
        }  # fmt: skip
        for label in sorted(classes):
            found[f"{front}_{level(label)}"] = {
                "platform": "sensor", "state_class": "measurement", "name": f"{name} {_shown(label)}",
                "state_topic": topics.of_source(source, "counts"),
                "value_template": f"{{{{ value_json.in_view[{_jinja(label)}] | default(0) }}}}",
            }  # fmt: skip
        if source in self._pictures:
            topic = topics.of_source(source, "picture")
            picture = {"platform": "image", "name": f"{name} last object", "image_topic": topic}
            found[f"{front}_picture"] = {**picture, "content_type": "image/jpeg"}
        return found


def _jinja(text: str) -> str:
    """A string of Jinja that means this text and can end nothing."""
    return re.sub(r"[^\w\s\"\\.,:;!?=-]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text))


def _shown(name: str) -> str:
    return printable(name)[:LONGEST_NAME] or "source"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
