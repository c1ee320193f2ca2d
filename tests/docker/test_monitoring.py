"""What surrounds edge-detect in docker/: each program itself, and edge-detect, reads the files that are for it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, List, Set

import pytest

from edge_runtime.cli import detect
from tests.sinks.brokers import MOSQUITTO, free_port, until

yaml = pytest.importorskip("yaml")
DOCKER = Path(__file__).resolve().parents[2] / "docker"
FILES, COMPOSE = DOCKER / "k8s" / "files", DOCKER / "compose"
BOARD: Dict[str, Any] = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
RULES = FILES / "rules.yml"
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
EXPRESSIONS += [
    rule["expr"] for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]


def served() -> Set[str]:
    """The names of all series that edge-detect can serve."""
    pytest.importorskip("prometheus_client")
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest

    from edge_runtime.sinks._exposition import Counts, families

    figures = {"streams": {}, "build": {}, "sinks": {}, "fps": 0.0, "mode": "15W"}

    class Collector:
        def collect(self) -> Any:
            return families(figures, Counts())

    registry = CollectorRegistry()
    registry.register(Collector())
    text = generate_latest(registry).decode()
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    summaries = {name + end for name, kind in kinds.items() if kind == "summary" for end in ("_sum", "_count")}
    return set(kinds) | summaries


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_that_is_asked_for_is_served(expression: str) -> None:
    asked = set(re.findall(r"\bedge_\w+", re.sub(r"by \([^)]*\)", "", expression)))
    assert (asked or {"up"} & set(re.findall(r"\w+", expression))) and asked <= served(), asked - served()


def test_the_dashboard_shows_what_a_fleet_is_about() -> None:
    shown = " ".join(EXPRESSIONS)
    for name in (
        "fps_per_watt",
        "power_watts",
        "temperature_celsius",
        "latency_seconds",
        "frames_dropped",
        "stream_state",
    ):
        assert f"edge_{name}" in shown
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    source = yaml.safe_load((FILES / "datasource.yml").read_text(encoding="utf-8"))["datasources"][0]["uid"]
    assert {panel["datasource"]["uid"] for panel in BOARD["panels"]} == {source}
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in BOARD["panels"]]
    assert len(set(places)) == len(places)


def lost(before: Any, after: Any, place: str = "") -> List[str]:
    """The places of `before` that `after` has not, or has another value at."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [found for key in before for found in lost(before[key], after.get(key), f"{place}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [found for n, (a, b) in enumerate(zip(before, after)) for found in lost(a, b, f"{place}[{n}]")]
    return [] if before == after else [place]


def test_grafanas_own_types_know_every_key_of_the_dashboard() -> None:
    pytest.importorskip("grafana_foundation_sdk")
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    def again(board: Any) -> Any:
        return json.loads(JSONEncoder().encode(Dashboard.from_json(board)))

    plugins.register_default_plugins()
    assert lost(BOARD, again(BOARD)) == []
    spoilt = deepcopy(BOARD)
    spoilt["panels"][0]["options"]["legend"]["displaymode"] = spoilt["panels"][1]["targets"][0]["expression"] = "x"
    assert lost(spoilt, again(spoilt)) == [".panels[0].options.legend.displaymode", ".panels[1].targets[0].expression"]


@pytest.mark.parametrize("folder", [FILES, COMPOSE], ids=["k8s", "compose"])
def test_promtool_finds_no_fault(folder: Path, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here")
    config = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))
    for job in config["scrape_configs"]:
        job.pop("kubernetes_sd_configs", None)  # Debian's Prometheus is built without it
    shutil.copy(RULES, tmp_path)
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    found = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, encoding="utf-8"
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_promtool_reads_every_question_of_the_dashboard(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here")
    rules = [{"record": f"r{n}", "expr": each.replace("$node", ".+")} for n, each in enumerate(EXPRESSIONS)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    found = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, encoding="utf-8")
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("folder", [FILES, COMPOSE], ids=["k8s", "compose"])
def test_mosquitto_starts_with_its_configuration(folder: Path, tmp_path: Path) -> None:
    if MOSQUITTO is None:
        pytest.skip("no mosquitto here")
    port, passwords, path = free_port(), tmp_path / "passwd", tmp_path / "mosquitto.conf"
    passwords.touch()
    text = (folder / "mosquitto.conf").read_text(encoding="utf-8").replace("1883", str(port))
    text = text.replace("/mosquitto/data/", f"{tmp_path}/").replace("/mosquitto/secret/passwd", str(passwords))
    path.write_text(text + "user root\n", encoding="utf-8")
    process = subprocess.Popen([str(MOSQUITTO), "-c", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as tried:
            return process.poll() is not None or tried.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(answers)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("path", [FILES / "site.toml", COMPOSE / "site" / "site.toml"], ids=["k8s", "compose"])
def test_edge_detect_takes_the_site(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for library in ("paho.mqtt", "prometheus_client", "h11", "av"):
        pytest.importorskip(library)
    monkeypatch.setenv("GATE_CAMERA", "rtsp://127.0.0.1/live")
    monkeypatch.setenv("MQTT_OUTPUT", f"mqtt://edge@mosquitto:1883/edge/a?spool={tmp_path}")
    (tmp_path / "gate_camera").write_text("rtsp://127.0.0.1/live\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8").replace("/run/secrets", str(tmp_path)).replace("/data", str(tmp_path))
    site = tmp_path / "site.toml"
    site.write_text(text.replace("/engines/nano_int8.plan", "yolo_nano_voc_int8.onnx"), encoding="utf-8")
    assert detect.main(["--config", str(site), "--check"]) == 0, capsys.readouterr().err
