"""Runs inside Home Assistant: writes all entities of MQTT, their states and their pictures into a file, once a second.

tools/hass/running.py puts it into a configuration, and reads the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from typing import Any, Dict

from homeassistant.helpers import device_registry, entity_registry
from homeassistant.helpers.entity_component import DATA_INSTANCES
from homeassistant.helpers.event import async_track_time_interval


async def async_setup(hass: Any, config: Any) -> bool:
    async def write(_now: Any) -> None:
        said = {"running": hass.is_running, "devices": _devices(hass), "entities": await _entities(hass)}
        await hass.async_add_executor_job(_replace, hass.config.path("probe.json"), json.dumps(said))

    async_track_time_interval(hass, write, timedelta(seconds=1))
    return True


def _devices(hass: Any) -> Any:
    devices = device_registry.async_get(hass).devices.values()
    return [[each.name, each.manufacturer, each.model, each.sw_version] for each in devices]


async def _entities(hass: Any) -> Dict[str, Any]:
    """By their unique ids."""
    found = {}
    for entry in entity_registry.async_get(hass).entities.values():
        state = hass.states.get(entry.entity_id) if entry.platform == "mqtt" else None
        if state is not None:
            found[entry.unique_id] = {
                "entity_id": entry.entity_id, "name": entry.original_name, "state": state.state,
                "restored": bool(state.attributes.get("restored")), "picture": await _picture(hass, entry),
            }  # fmt: skip
    return found


async def _picture(hass: Any, entry: Any) -> str:
    """SHA-256 of the picture that an image entity shows; "" for none."""
    component = hass.data.get(DATA_INSTANCES, {}).get(entry.domain)
    entity = component.get_entity(entry.entity_id) if component and entry.domain == "image" else None
    picture = await entity.async_image() if entity else None
    return hashlib.sha256(picture).hexdigest() if picture else ""


def _replace(path: str, text: str) -> None:
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)
