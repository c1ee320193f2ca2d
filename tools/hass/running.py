"""Home Assistant with nothing but MQTT: started, stopped and killed in a folder of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List

from tests.sinks.brokers import free_port, until

PROBE = Path(__file__).parent / "edge_probe"
START_S, STOP_S = 900.0, 60.0  # the first start installs what Home Assistant wants for its own page
CONFIGURATION = """
homeassistant:
  name: edge-runtime
  latitude: 0
  longitude: 0
  elevation: 0
  unit_system: metric
  time_zone: UTC
http:
  server_host: 127.0.0.1
  server_port: {port}
logger:
  default: warning
edge_probe:
"""
ENTRY = {
    "entry_id": "edge", "version": 1, "minor_version": 2, "domain": "mqtt", "title": "broker", "options": {},
    "pref_disable_new_entities": False, "pref_disable_polling": False, "source": "user", "unique_id": None,
    "disabled_by": None,
}  # fmt: skip
# Of a configuration without a user, without a page that anybody has opened, and with an integration of our own.
EXPECTED = re.compile(r"\[(aiohttp_fast_zlib|homeassistant\.(loader|components\.(?!mqtt|sensor|binary_sensor|image)))")


class HomeAssistant:
    """One that is not running yet.

    Args:
        hass: its executable.
        folder: for its configuration; it must not be there.
        broker: port on this machine.
    """

    def __init__(self, hass: Path, folder: Path, broker: int) -> None:
        self._hass, self._folder = hass, folder
        self._complaints: List[str] = []
        shutil.copytree(PROBE, folder / "custom_components" / PROBE.name)
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=free_port()), encoding="utf-8")
        entry = {**ENTRY, "data": {"broker": "127.0.0.1", "port": broker}}
        stored = {"version": 1, "minor_version": 1, "key": "core.config_entries", "data": {"entries": [entry]}}
        (folder / ".storage").mkdir()
        (folder / ".storage" / "core.config_entries").write_text(json.dumps(stored), encoding="utf-8")

    def start(self) -> None:
        """Returns when it runs."""
        self._probe.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [str(self._hass), "-c", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._runs, START_S)

    def stop(self) -> None:
        """In order, as by its own button; killed if that takes too long."""
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        self.process.kill()
        self.process.wait()
        self._complaints = self.complaints()
        self._log.unlink(missing_ok=True)

    def entities(self) -> Dict[str, Dict[str, Any]]:
        """All of MQTT, by their unique ids; {} if it does not run."""
        return dict(self._said().get("entities", {}))

    def devices(self) -> List[List[str]]:
        """Name, manufacturer, model, version of each."""
        return list(self._said().get("devices", []))

    def complaints(self) -> List[str]:
        """Warnings and errors of all its runs that are about MQTT, its entities, or anything in its core."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.is_file() else []
        found = [line for line in lines if re.search(r" (WARNING|ERROR|CRITICAL) ", line)]
        return self._complaints + [line for line in found if not EXPECTED.search(line)]

    @property
    def _log(self) -> Path:
        return self._folder / "home-assistant.log"

    @property
    def _probe(self) -> Path:
        return self._folder / "probe.json"

    def _said(self) -> Dict[str, Any]:
        return dict(json.loads(self._probe.read_text(encoding="utf-8"))) if self._probe.is_file() else {}

    def _runs(self) -> bool:
        assert self.process.poll() is None, "\n".join(["Home Assistant ended", *self.complaints()[-5:]])
        return bool(self._said().get("running"))
