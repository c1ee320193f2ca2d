"""The message for Home Assistant against the rules of its device discovery, as they are documented."""

from __future__ import annotations

import json
import re
from typing import Any, Dict

import pytest

from edge_runtime.sinks._discovery import Discovery
from edge_runtime.sinks._topics import Topics
from tests.sinks.brokers import event
from tests.text.nasty import NASTY

TOP = {"device", "origin", "components", "availability_topic", "qos"}
NEEDED = {"sensor": {"state_topic"}, "binary_sensor": {"state_topic"}, "image": {"image_topic"}}
ALLOWED = {
    "platform", "unique_id", "name", "state_topic", "value_template", "device_class", "state_class",
    "unit_of_measurement", "image_topic", "content_type",
}  # fmt: skip


def told(*names: str) -> Dict[str, Any]:
    discovery, number = Discovery("homeassistant", Topics("site/hall")), 0
    for number, name in enumerate(names, 1):
        discovery.see(event(number, "counts", name, data={"objects": dict.fromkeys(names, 1)}, picture=b"x"))
    assert discovery.see(event(number + 1, "status", "", data={"fps": 9.0, "power_w": 5}))
    assert not discovery.see(event(number + 2, "status", "", data={"fps": 8.0, "power_w": 5}))
    message = discovery.message()
    assert message.retain and re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", message.topic)
    return dict(json.loads(message.payload))


@pytest.mark.parametrize("names", [("gate", "car"), tuple(name for name in NASTY if name)[:20]])
def test_it_is_as_home_assistant_wants_it(names: Any) -> None:
    said = told(*names)
    assert set(said) == TOP and said["device"]["identifiers"] and said["origin"]["name"]
    entities = said["components"]
    for entity in entities.values():
        assert NEEDED[entity["platform"]] <= set(entity) <= ALLOWED and entity["unique_id"]
        assert not re.search(r"[+#\x00]", entity.get("state_topic", entity.get("image_topic")))
    assert len({entity["unique_id"] for entity in entities.values()}) == len(entities)
    assert len(entities) == 2 + len(names) * (2 + len(names))


def test_what_is_not_measured_is_no_entity() -> None:
    discovery = Discovery("homeassistant", Topics("a"))
    discovery.see(event(1, "status", "", data={"fps": 9.0, "power_w": None}))
    assert set(json.loads(discovery.message().payload)["components"]) == {"fps"}


def test_a_label_cannot_end_its_template() -> None:
    templates = [entity.get("value_template", "") for entity in told('x"] }} {% y', "'}}{{ z")["components"].values()]
    assert all(text.count("{{") + text.count("}}") in (0, 2) and "{%" not in text for text in templates)
