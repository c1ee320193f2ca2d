"""The units of systemd: systemd itself finds no fault in them, and that of edge-detect fits what it does."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_runtime.loop.view import STUCK_S

FOLDER = Path(__file__).resolve().parents[2] / "docker" / "systemd"
UNIT = FOLDER / "edge-detect.service"
UNITS = sorted(FOLDER.iterdir())


def service() -> configparser.SectionProxy:
    parsed = configparser.RawConfigParser(strict=True)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(UNIT)
    return parsed["Service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_no_fault(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    copy = tmp_path / unit.name.replace("@.", "@15W.")
    copy.write_text(
        unit.read_text(encoding="utf-8").replace("/opt/edge/bin/edge-detect", "/bin/true"), encoding="utf-8"
    )  # it looks for the program
    found = subprocess.run(
        [analyze, "verify", "--man=no", str(copy)], capture_output=True, encoding="utf-8", timeout=60
    )
    ours = [line for line in (found.stdout + found.stderr).splitlines() if copy.name in line]
    assert not ours, ours


def test_it_fits_what_edge_detect_does() -> None:
    about = service()
    assert about["Type"] == "notify" and about["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(about["WatchdogSec"]) > STUCK_S
    assert about["ExecStart"].split()[1:] == ["--config", "/etc/edge/site.toml"]


def test_what_would_hide_cameras_or_the_gpu_is_absent() -> None:
    absent = {"PrivateDevices", "DeviceAllow", "DevicePolicy", "ProtectClock", "PrivateTmp", "MemoryDenyWriteExecute"}
    assert not absent & set(service())
