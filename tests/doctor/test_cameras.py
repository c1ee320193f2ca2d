"""Cameras by the name they are opened by, and the service behind CSI sensors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.doctor import cameras
from edge_runtime.doctor.check import Check


def node(root: Path, number: int, name: str = "") -> None:
    (root / "dev").mkdir(exist_ok=True)
    (root / f"dev/video{number}").touch()
    if name:
        about = root / f"sys/class/video4linux/video{number}/name"
        about.parent.mkdir(parents=True)
        about.write_text(f"{name}\n", encoding="utf-8")


def jetson(root: Path) -> Path:
    (root / "etc").mkdir()
    (root / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 1\n", encoding="utf-8")
    return root


def test_by_number_with_names(tmp_path: Path) -> None:
    for number, name in ((10, ""), (0, "vi-output, imx219 9-0010"), (2, "HD Pro Webcam C920")):
        node(tmp_path, number, name)
    assert cameras.cameras(tmp_path) == Check(
        "cameras", True, "csi://0 (vi-output, imx219 9-0010), /dev/video2 (HD Pro Webcam C920), /dev/video10"
    )


def test_closed_devices_name_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, to whom everything is open: so the question itself is answered with no."""
    node(tmp_path, 0, "HD Pro Webcam C920")
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = cameras.cameras(tmp_path)
    assert not found.ok and "no permission to open /dev/video0" in found.detail
    assert "usermod -aG video" in str(found.fix)


def test_none_is_a_finding_on_a_jetson(tmp_path: Path) -> None:
    assert cameras.cameras(tmp_path).absent and cameras.argus(tmp_path).absent
    found = cameras.cameras(jetson(tmp_path))
    assert not found.absent and "--device /dev/video0" in str(found.fix)


def test_a_sensor_wants_nvargus_daemon(tmp_path: Path) -> None:
    """Without its socket csi:// gives nothing, be the daemon dead or the socket not mounted."""
    node(jetson(tmp_path), 0, "vi-output, imx219 9-0010")
    found = cameras.argus(tmp_path)
    assert not found.ok and not found.absent and "nvargus-daemon" in found.detail
    assert "systemctl restart nvargus-daemon" in str(found.fix) and "-v /tmp/argus_socket" in str(found.fix)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp/argus_socket").touch()
    assert cameras.argus(tmp_path) == Check("CSI cameras", True, "nvargus-daemon runs, sensors: 1")


def test_a_board_without_sensors_needs_no_daemon(tmp_path: Path) -> None:
    assert cameras.argus(jetson(tmp_path)).absent
