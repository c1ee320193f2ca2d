"""docker/compose.yaml: valid, without secrets, and of one piece with the files beside it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest

yaml = pytest.importorskip("yaml")
DOCKER = Path(__file__).resolve().parents[2] / "docker"
FILE = DOCKER / "compose.yaml"
COMPOSE: Dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


def test_compose_itself_finds_no_fault(tmp_path: Path) -> None:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("no docker-compose here")
    copy = tmp_path / FILE.name
    shutil.copy(FILE, copy)
    found = subprocess.run(
        [command, "-f", str(copy), "config", "-q"], capture_output=True, encoding="utf-8", timeout=120
    )
    assert found.returncode == 0, found.stderr
    copy.write_text(FILE.read_text(encoding="utf-8").replace("read_only:", "readonly:"), encoding="utf-8")
    found = subprocess.run(
        [command, "-f", str(copy), "config", "-q"], capture_output=True, encoding="utf-8", timeout=120
    )
    assert found.returncode != 0


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_bounded_watched_and_has_few_rights(name: str) -> None:
    about = SERVICES[name]
    assert about["read_only"] and about["cap_drop"] == ["ALL"] and "no-new-privileges:true" in about["security_opt"]
    assert about["deploy"]["resources"]["limits"]["memory"] and about["pids_limit"]
    assert about["healthcheck"]["test"][0] == "CMD" and about["restart"] == "unless-stopped"
    assert "privileged" not in about and ":latest" not in about["image"] and ":" in about["image"]


def test_files_and_volumes_that_are_mounted_exist() -> None:
    for about in SERVICES.values():
        for source in (volume.split(":")[0] for volume in about["volumes"]):
            if source.startswith("./"):
                assert (DOCKER / source).exists() or source == "./engines", source
            else:
                assert source.startswith("/") or source in COMPOSE["volumes"], source


def test_secrets_are_files_that_git_does_not_take() -> None:
    for about in COMPOSE["secrets"].values():
        assert about["file"].startswith("./compose/secrets/")
    assert "secrets/" in (DOCKER / "compose" / ".gitignore").read_text(encoding="utf-8")
    for about in SERVICES.values():
        assert set(about.get("secrets", [])) <= set(COMPOSE["secrets"])


def test_only_this_machine_reaches_them() -> None:
    assert "listener 1883 127.0.0.1" in (DOCKER / "compose" / "mosquitto.conf").read_text(encoding="utf-8")
    assert "--web.listen-address=127.0.0.1:9090" in SERVICES["prometheus"]["command"]
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
