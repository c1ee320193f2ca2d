"""The machine: driver, toolkit, memory, JetPack, as trees and stand-ins show them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest

from edge_runtime import power
from edge_runtime.doctor import machine
from edge_runtime.gpu import cuda_driver
from edge_runtime.libraries import causes

DRIVER = """
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
int cuInit(unsigned flags) {
    if (getenv("STUB_NOISE")) fprintf(stderr, "NvRmMemInitNvmap failed with Permission denied\\n");
    return getenv("STUB_INIT") ? atoi(getenv("STUB_INIT")) : 0;
}
int cuDriverGetVersion(int *version) { *version = 12060; return 0; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetName(char *name, int size, int device) { snprintf(name, size, "Orin %d", device); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 8 : 7; return 0; }
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA driver that answers, in child processes."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "cuda.c").write_text(DRIVER, encoding="utf-8")
    target = str(tmp_path / "libcuda.so.1")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", target, str(tmp_path / "cuda.c")], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setattr(cuda_driver, "driver", lambda: object())


def test_the_driver_and_its_devices(driver: None, tmp_path: Path) -> None:
    found = machine.cuda_devices(tmp_path)
    assert found.ok and found.detail == "CUDA 12.6, Orin 0, Orin 1"


@pytest.mark.parametrize(
    ("code", "noise", "detail", "fix"),
    [
        ("100", "", "no CUDA-capable device is detected; no NVIDIA GPU is visible", "nvidia-smi"),
        ("999", "", "cuInit failed with error 999", "nvidia-smi"),
        ("999", "1", "cuInit failed with error 999; this user may not use the GPU", "video,render"),
    ],
)
def test_a_driver_that_finds_no_gpu(
    driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, noise: str, detail: str, fix: str
) -> None:
    monkeypatch.setenv("STUB_INIT", code)
    if noise:
        monkeypatch.setenv("STUB_NOISE", noise)
    found = machine.cuda_devices(tmp_path)
    assert not found.ok and found.detail.endswith(detail) and fix in str(found.fix)


def test_a_gpu_that_is_closed_to_this_user(driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev/dri").mkdir(parents=True)
    for node in ("dev/nvmap", "dev/dri/renderD128"):
        (tmp_path / node).touch()
    monkeypatch.setenv("STUB_INIT", "999")
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    found = machine.cuda_devices(tmp_path)
    assert "no permission for /dev/nvmap, /dev/dri/renderD128" in found.detail and found.fix == causes.GROUPS


def test_no_driver_is_a_finding_where_there_is_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, "driver", lambda: None)
    assert machine.cuda_devices(tmp_path).absent
    vendor = tmp_path / "sys/bus/pci/devices/0000:01:00.0/vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text("0x8086\n", encoding="utf-8")
    assert machine.cuda_devices(tmp_path).absent
    vendor.write_text("0x10de\n", encoding="utf-8")
    found = machine.cuda_devices(tmp_path)
    assert not found.absent and "install the NVIDIA driver" in str(found.fix)


def nvcc(path: Path, script: str = '#!/bin/sh\necho "Cuda compilation tools, release 12.6, V12.6.68"\n') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("folder", ["cuda", "cuda-12.6"])
def test_nvcc_that_is_not_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    path = nvcc(tmp_path / f"usr/local/{folder}/bin/nvcc")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = machine.cuda_toolkit(tmp_path)
    assert found.ok and found.detail == f"12.6 ({path}), not on PATH"
    assert str(found.fix).startswith("export PATH=/usr/local/cuda")
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    assert machine.cuda_toolkit(tmp_path).fix is None


@pytest.mark.parametrize(
    ("script", "said"), [("#!/bin/sh\nexit 1\n", "does not answer"), ("#!/nowhere\n", "does not start")]
)
def test_nvcc_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str) -> None:
    nvcc(tmp_path / "nvcc", script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = machine.cuda_toolkit(tmp_path)
    assert not found.ok and said in found.detail and found.fix


MIB = 1024  # in the file's unit


def memory(root: Path, jetson: bool, **mib: int) -> Any:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/meminfo").write_text(
        "".join(f"{name}: {value * MIB} kB\n" for name, value in mib.items()), encoding="utf-8"
    )
    if jetson:
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 1\n", encoding="utf-8")
    return machine.memory(root)


Sizes = Dict[str, int]


@pytest.mark.parametrize(
    ("jetson", "sizes", "good"),
    [
        (True, {"MemTotal": 3956, "MemAvailable": 3000, "SwapTotal": 0, "SwapFree": 0}, False),
        (True, {"MemTotal": 3956, "MemAvailable": 3000, "SwapTotal": 1978, "SwapFree": 1978}, True),
        (True, {"MemTotal": 7620, "MemAvailable": 700, "SwapTotal": 0, "SwapFree": 0}, False),
        (True, {"MemTotal": 7620, "MemAvailable": 700, "SwapTotal": 4000, "SwapFree": 100}, False),
        (True, {"MemTotal": 7620, "MemAvailable": 6000, "SwapTotal": 0, "SwapFree": 0}, True),
    ],
)
def test_memory_that_a_build_needs(tmp_path: Path, jetson: bool, sizes: Sizes, good: bool) -> None:
    found = memory(tmp_path, jetson, **sizes)
    assert found.ok == good and (found.fix is None) == good
    assert good or ("may be killed" in found.detail and "mkswap" in found.fix)


def test_memory_is_no_matter_where_no_plan_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, "driver", lambda: None)
    assert memory(tmp_path, False, MemTotal=3956, MemAvailable=700, SwapTotal=0).ok


def test_jetpack_4_runs_under_a_newer_ubuntu(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text(
        "# R32 (release), REVISION: 7.1, GCID: 1, BOARD: t210ref\n", encoding="utf-8"
    )
    assert "is not supported: its Python 3.6" in machine.jetpack(tmp_path).detail
    for release, good in (("18.04", False), ("20.04", True)):
        (tmp_path / "etc/os-release").write_text(f'NAME="Ubuntu"\nVERSION_ID="{release}"\n', encoding="utf-8")
        assert machine.jetpack(tmp_path).ok == good


def test_sensors_that_are_closed_say_how_they_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, to whom everything is open: so the question itself is answered with no."""
    path = tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj"
    path.parent.mkdir(parents=True)
    path.write_text("", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = machine.power_sensors(tmp_path)
    assert "chmod a+r" in str(found.fix) and not found.absent
    monkeypatch.setattr(power, "reasons", lambda root: {"ina3221": "no such sensor"})
    assert machine.power_sensors(tmp_path).absent
