"""The entities of Home Assistant for a run and for its sources, as the device form of MQTT discovery describes them."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable

from edge_runtime.sinks._topics import Topics, level, paired
from edge_runtime.text.escape import printable

Entity = Dict[str, Any]
LONGEST_NAME = 80
MEASURES = {"fps": "Frames per second", "power_w": "Power"}
_UNITS: Dict[str, Entity] = {
    "fps": {"unit_of_measurement": "fps"}, "power_w": {"unit_of_measurement": "W", "device_class": "power"}
}  # fmt: skip


def of_measure(topics: Topics, key: str) -> Entity:
    """A figure of the whole run. Args: key: one of `MEASURES`."""
    return {
        "platform": "sensor", "state_class": "measurement", "name": MEASURES[key], "state_topic": topics.status,
        "value_template": f"{{{{ value_json.{key} | default(none) }}}}", **_UNITS[key],
    }  # fmt: skip


def connection(topics: Topics, source: str) -> Entity:
    """Whether a live source gives pictures."""
    return {
        "platform": "binary_sensor", "device_class": "connectivity", "name": f"{shown(source)} connection",
        "state_topic": topics.of_source(source, "state"),
        "value_template": "{{ 'ON' if value_json.state == 'live' else 'OFF' }}",
    }  # fmt: skip


def count(topics: Topics, source: str, label: str) -> Entity:
    """How many objects of a class are in view. `get`: `in_view["keys"]` is a method of Jinja's if no keys are there."""
    return {
        "platform": "sensor", "state_class": "measurement", "name": f"{shown(source)} {shown(label)}",
        "state_topic": topics.of_source(source, "counts"),
        "value_template": f"{{{{ value_json.in_view.get({_jinja(paired(label))}, 0) }}}}",
    }  # fmt: skip


def picture(topics: Topics, source: str) -> Entity:
    """The last object of a source."""
    return {
        "platform": "image", "name": f"{shown(source)} last object", "content_type": "image/jpeg",
        "image_topic": topics.of_source(source, "picture"),
    }  # fmt: skip


def of_source(topics: Topics, source: str, parts: Iterable[str], labels: Iterable[str]) -> Dict[str, Entity]:
    """All of a source, by name. A `/` is in no level of a topic, so that no two have one name.

    Args:
        topics: of the run.
        source: its name.
        parts: "connection" and "picture", if it has them.
        labels: the classes that are counted.
    """
    front = level(source)
    found = {f"{front}/{part}": _PARTS[part](topics, source) for part in sorted(parts)}
    return {**found, **{f"{front}/count/{level(label)}": count(topics, source, label) for label in sorted(labels)}}


def topic_of(entity: Entity) -> Any:
    """Where its values come."""
    return entity.get("state_topic", entity.get("image_topic"))


def shown(name: str) -> str:
    """A name for people."""
    return printable(name)[:LONGEST_NAME] or "source"


def _jinja(text: str) -> str:
    """A string of Jinja that means this text and can end nothing."""
    return '"' + re.sub(r"[^a-zA-Z0-9 _-]", lambda found: f"\\U{ord(found[0]):08x}", text) + '"'


_PARTS = {"connection": connection, "picture": picture}
