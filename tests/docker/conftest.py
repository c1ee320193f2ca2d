"""The board that docker/run.sh is tried on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from standins.container_host import Machine, write


@pytest.fixture
def orin(tmp_path: Path) -> Machine:
    """A board of JetPack 6 with one camera."""
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    root = tmp_path / "root"
    write(root / "etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n")
    write(root / "proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0")
    write(root / "var/lib/nvpmodel/status", "pmode:0001\n")
    write(root / "dev/video0", "")
    return Machine(tmp_path, root)
