"""What MQTT announces against the schemas and templates of an installed Home Assistant, with its own JSON reader.

It is no dependency: `EDGE_HASS=/path/to/hass pytest tests/sinks/test_home_assistant.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import pytest

from edge_runtime.sinks._discovery import Discovery
from edge_runtime.sinks._topics import Topics
from tests.sinks.brokers import event
from tests.sinks.test_discovery import WORDS

HASS = Path(os.environ.get("EDGE_HASS") or Path(sys.executable).with_name("hass"))
INSIDE = """
import asyncio, json, sys
from homeassistant.components.mqtt import binary_sensor, image, sensor
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
from homeassistant.util.json import json_loads_object

PLATFORMS = {"binary_sensor": binary_sensor, "image": image, "sensor": sensor}

async def read(lines):
    hass, values = HomeAssistant(sys.argv[1]), {}
    message, sent = json_loads_object(lines[0]), dict(zip(lines[1::2], lines[2::2]))
    DEVICE_DISCOVERY_SCHEMA(message)
    shared = {key: message[key] for key in ("availability_topic", "qos", "device", "origin")}
    for name, entity in message["components"].items():
        platform = PLATFORMS[entity.pop("platform")]
        if entity:
            platform.DISCOVERY_SCHEMA({**entity, **shared})
            text = sent.get(entity.get("state_topic", "").encode())
            if text is not None:
                template = Template(entity["value_template"], hass)
                values[name] = template.async_render_with_possible_json_value(text.decode(), "no value")
    print(json.dumps(values))

asyncio.run(read(sys.stdin.buffer.read().splitlines()))
"""


def values(discovery: Discovery, *messages: Any) -> Dict[str, Any]:
    """What each entity shows after these messages. Fails if Home Assistant refuses any part."""
    lines: List[bytes] = [discovery.message().payload]
    for message in messages:
        lines += [message.topic.encode(), message.payload]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(HASS.with_name("python")), "-c", INSIDE, folder]
        ran = subprocess.run(command, input=b"\n".join(lines), capture_output=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    return dict(json.loads(ran.stdout))


@pytest.mark.skipif(not HASS.is_file(), reason="no Home Assistant here: EDGE_HASS names its executable")
def test_home_assistant_takes_all_and_reads_every_value() -> None:
    topics, messages = Topics("küche/x"), []
    discovery = Discovery("homeassistant", topics)
    happened = [event(1, "status", "", data={"fps": None, "power_w": 7.5})]
    for number, word in enumerate(WORDS, 1):
        counts = {"in_view": {word: number} if number % 2 else {}, "objects": {word: 9}}
        happened += [event(number, "counts", word, data=counts), event(number, "source", word, data={"state": "live"})]
        happened += [event(number, "new", word, picture=b"x")]
    for one in happened:
        discovery.see(one)
        messages += filter(None, [topics.state(one)])
    found = values(discovery, *messages)
    assert found.pop("power_w") == "7.5" and "fps" not in found
    counted = [value for name, value in found.items() if name.split("/")[1] == "count"]
    assert counted == [str(number if number % 2 else 0) for number in range(1, len(WORDS) + 1)]
    assert [value for name, value in found.items() if name.split("/")[1] == "connection"] == ["ON"] * len(WORDS)
