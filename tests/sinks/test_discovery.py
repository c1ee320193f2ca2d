"""The message for Home Assistant against the rules of its device discovery, as they are documented."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List

import pytest

from edge_runtime.sinks import _discovery
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
WORDS = (*(name for name in NASTY if name), "connection", "picture", "count", "keys", "😀", 'x"] }} {% y', "'}}{{ z")


def new(prefix: str = "site/hall") -> Discovery:
    return Discovery("homeassistant", Topics(prefix))


def said(discovery: Discovery) -> Dict[str, Any]:
    return dict(json.loads(discovery.message().payload))


def seen(discovery: Discovery, *names: str) -> Discovery:
    """It has seen these names, as sources and as classes."""
    number = 0
    for number, name in enumerate(names, 1):
        discovery.see(event(number, "counts", name, data={"objects": dict.fromkeys(names, 1)}, picture=b"x"))
        discovery.see(event(number, "source", name, data={"state": "live"}))
    status = {"fps": 9.0, "power_w": 5, "dropped": dict.fromkeys(names, 0)}
    assert discovery.see(event(number + 1, "status", "", data=status))
    assert not discovery.see(event(number + 2, "status", "", data={**status, "fps": 8.0}))
    return discovery


def components(discovery: Discovery) -> Dict[str, Any]:
    return dict(said(discovery)["components"])


def names(discovery: Discovery) -> List[str]:
    """Of the entities, without those that are removed."""
    return [name for name, entity in components(discovery).items() if "unique_id" in entity]


def earlier(*sources: str, prefix: str = "site/hall") -> bytes:
    """What an earlier run left at the broker."""
    return seen(new(prefix), *sources).message().payload


@pytest.mark.parametrize("words", [("gate", "car"), WORDS])
def test_it_is_as_home_assistant_wants_it(words: Any) -> None:
    discovery = seen(new(), *words)
    message = said(discovery)
    assert set(message) == TOP and message["device"]["identifiers"] and message["origin"]["name"]
    entities = message["components"]
    for entity in entities.values():
        assert NEEDED[entity["platform"]] <= set(entity) <= ALLOWED and entity["unique_id"]
        assert not re.search(r"[+#\x00]", entity.get("state_topic", entity.get("image_topic")))
    assert len({entity["unique_id"] for entity in entities.values()}) == len(entities)
    assert len(entities) == 2 + len(words) * (2 + len(words)), "two of them had one name"


@pytest.mark.parametrize("prefix", ["hall", "site/hall", "küche", "人", "a.b", "a_b", "x y", "-", "edge/" + "x" * 190])
def test_home_assistant_takes_the_topic(prefix: str) -> None:
    message = new(prefix).message()
    assert message.retain and re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", message.topic)


def test_two_prefixes_are_two_devices() -> None:
    prefixes = ("a/b", "a_b", "a.b", "a-b", "ä/b", "A/b")
    assert len({new(prefix).topic for prefix in prefixes}) == len(prefixes)


def test_what_is_not_measured_is_no_entity() -> None:
    discovery = new()
    discovery.see(event(1, "status", "", data={"fps": 9.0, "power_w": None}))
    assert names(discovery) == ["fps"]


def test_a_source_without_a_state_has_no_connection() -> None:
    """A file sends none, so the entity would never have a value."""
    discovery = new()
    discovery.see(event(1, "counts", "clip.mp4", data={"objects": {"car": 1}}))
    assert names(discovery) == ["clip.mp4/count/car"]
    assert discovery.see(event(2, "source", "clip.mp4", data={"state": "live"}))
    assert names(discovery) == ["clip.mp4/connection", "clip.mp4/count/car"]


@pytest.mark.parametrize("label", WORDS)
def test_a_label_cannot_end_its_template_and_is_what_is_sent(label: str) -> None:
    """Between quotes Jinja reads `\\U`; with `get` a label such as "keys" is none of its methods."""
    templates = [entity.get("value_template", "") for entity in components(seen(new(), label)).values()]
    assert all(text.count("{{") + text.count("}}") in (0, 2) and "{%" not in text for text in templates)
    found = next(filter(None, (re.fullmatch(r'{{ value_json.in_view.get\("([^"]*)", 0\) }}', t) for t in templates)))
    sent = Topics("a").state(event(1, "counts", "gate", data={"in_view": {label: 7}}))
    assert sent is not None
    assert json.loads(sent.payload)["in_view"] == {found[1].encode("ascii").decode("unicode-escape"): 7}


def test_what_has_changed_is_first() -> None:
    """Home Assistant leaves out what follows an entity that it is still setting up."""
    discovery = new()
    discovery.told(earlier("old"))
    happened = [
        event(1, "source", "gate", data={"state": "live"}), event(2, "counts", "gate", data={"objects": {"car": 1}}),
        event(3, "new", "gate", picture=b"x"), event(4, "status", "", data={"fps": 1.0, "dropped": {"gate": 0}}),
    ]  # fmt: skip
    before: Dict[str, Any] = {}
    for one in happened:
        assert discovery.see(one)
        after = components(discovery)
        changed = [name for name, entity in after.items() if before.get(name) != entity]
        assert changed and list(after)[: len(changed)] == changed
        before = after


def test_what_an_earlier_run_had_stays_until_the_sources_are_known() -> None:
    discovery = new()
    discovery.told(earlier("gate", "yard"))
    assert discovery.see(event(1, "source", "yard", data={"state": "connecting"}))
    assert {"fps", "gate/connection", "gate/count/yard", "yard/picture"} < set(names(discovery))
    assert discovery.see(event(2, "status", "", data={"fps": 1.0, "dropped": {"yard": 0}}))
    assert not [name for name in names(discovery) if "gate/" in name[:5]]
    removed = {name: entity for name, entity in components(discovery).items() if name not in names(discovery)}
    assert removed["gate/picture"] == {"platform": "image"}
    assert removed["gate/connection"] == {"platform": "binary_sensor"}
    assert removed["gate/count/yard"] == {"platform": "sensor"}
    assert {"fps", "power_w", "yard/connection", "yard/picture", "yard/count/gate"} <= set(names(discovery))


def test_what_is_removed_is_said_once_by_each_run() -> None:
    discovery = new()
    discovery.told(earlier("gate", "yard"))
    discovery.see(event(1, "status", "", data={"fps": 1.0, "dropped": {"yard": 0}}))
    third = new()
    third.told(discovery.message().payload)
    third.see(event(1, "status", "", data={"fps": 1.0, "dropped": {"yard": 0}}))
    assert "gate/picture" in components(discovery) and "gate/picture" not in components(third)
    assert "yard/picture" in names(third)


def test_a_source_that_comes_back_is_announced_again() -> None:
    discovery = new()
    discovery.told(earlier("gate"))
    discovery.see(event(1, "status", "", data={"fps": 1.0, "dropped": {}}))
    assert "gate/connection" not in names(discovery)
    assert discovery.see(event(2, "source", "gate", data={"state": "live"}))
    assert "gate/connection" in names(discovery)


def test_a_source_that_a_reload_removes_is_removed() -> None:
    """Status goes on to count its frames."""
    discovery = seen(new(), "gate", "yard")
    assert discovery.see(event(1, "source", "gate", data={"state": "removed"}))
    assert not discovery.see(event(2, "status", "", data={"fps": 1.0, "dropped": {"gate": 0, "yard": 0}}))
    assert not discovery.see(event(3, "update", "gate", picture=b"x"))
    assert not [name for name in names(discovery) if name.startswith("gate/")]
    assert components(discovery)["gate/picture"] == {"platform": "image"} and "yard/picture" in names(discovery)
    assert discovery.see(event(3, "source", "gate", data={"state": "connecting"}))
    assert "gate/connection" in names(discovery)


def test_a_file_comes_under_the_name_of_a_removed_source() -> None:
    """It sends no state. Its counts say that it runs."""
    discovery = seen(new(), "gate")
    assert discovery.see(event(1, "source", "gate", data={"state": "removed"}))
    assert discovery.see(event(2, "counts", "gate", data={"objects": {"bus": 1}}, picture=b"x"))
    assert {"gate/count/bus", "gate/picture"} < set(names(discovery))
    assert discovery.see(event(3, "source", "gate", data={"state": "removed"}))
    assert not [name for name in names(discovery) if name.startswith("gate/")]
    assert discovery.see(event(4, "counts", "gate", data={"objects": {}})), "what it had is in use again"
    assert "gate/count/bus" in names(discovery)


def test_of_many_sources_that_came_and_went_few_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_discovery, "MOST_EARLIER", 10)
    discovery = new()
    discovery.told(earlier("stays"))
    for number in range(300):
        name = f"cam{number}"
        discovery.see(event(1, "counts", name, data={"objects": {"car": 1}}, picture=b"x"))
        discovery.see(event(2, "source", name, data={"state": "live"}))
        discovery.see(event(3, "status", "", data={"dropped": {"stays": 0, name: 0}}))
        assert f"{name}/picture" in names(discovery)
        discovery.see(event(4, "source", name, data={"state": "removed"}))
        assert components(discovery)[f"{name}/picture"] == {"platform": "image"}
    assert len(components(discovery)) <= 11 and len(discovery._removed) <= 1
    assert {"stays/connection", "stays/picture", "stays/count/stays"} <= set(names(discovery)), "it still runs"


def test_entities_under_other_names_are_removed() -> None:
    """An older version named them otherwise, and another program may have used the topic."""
    discovery, old = new(), json.loads(earlier("gate"))
    old["components"] = {"gate_picture": {**old["components"]["gate/picture"], "unique_id": "edge_gate_picture"}}
    discovery.told(json.dumps(old).encode())
    discovery.see(event(1, "counts", "gate", data={"objects": {}}, picture=b"x"))
    assert components(discovery)["gate_picture"] == {"platform": "image"} and names(discovery) == ["gate/picture"]


@pytest.mark.parametrize("components_", ["[]", "7", '{"a":1,"b":{},"c":{"platform":[],"x":1}}',
                                         '{"a":{"platform":"button","x":1},"b":{"platform":"sensor"}}'])  # fmt: skip
def test_components_that_are_not_ours_change_nothing(components_: str) -> None:
    changes_nothing(b'{"components":%s}' % components_.encode())


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]", b"7", b"{}", b"[" * 100_000])
def test_what_is_no_message_changes_nothing(text: bytes) -> None:
    changes_nothing(text)


def changes_nothing(text: bytes) -> None:
    discovery = new()
    discovery.told(text)
    assert not discovery.see(event(1, "new", ""))
    assert components(discovery) == {}
