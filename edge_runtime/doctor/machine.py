"""The machine the doctor looks at: CUDA, board, cameras, power sensors; standard library only."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from edge_runtime import power
from edge_runtime.doctor.check import Check
from edge_runtime.jetson import board

NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


def cuda_driver(root: Path) -> Check:
    """The driver and its devices, asked directly: no toolkit is needed for that."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        driver = "sudo apt install nvidia-l4t-cuda" if board.is_jetson(root) else "install the NVIDIA driver"
        return Check("CUDA driver", False, "libcuda.so.1 not found", f"{driver}, if a GPU is to be used")
    code = cuda.cuInit(0)
    if code:
        reason = "no CUDA device" if code == NO_DEVICE else f"cuInit failed with error {code}"
        return Check("CUDA driver", False, reason, "nvidia-smi says more")
    version, count = ctypes.c_int(), ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda.cuDeviceGetCount(ctypes.byref(count))
    devices = ", ".join(_device_name(cuda, i) for i in range(count.value)) or "no device"
    release = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Check("CUDA driver", count.value > 0, f"CUDA {release}, {devices}")


def cuda_toolkit(root: Path) -> Check:
    """The compiler that builds kernels on the machine they run on."""
    default = root / "usr/local/cuda/bin/nvcc"
    nvcc = shutil.which("nvcc") or (str(default) if os.access(default, os.X_OK) else None)
    if nvcc is None:
        fix = "sudo apt install nvidia-jetpack" if board.is_jetson(root) else None
        return Check("CUDA toolkit", False, "nvcc not found", fix)
    answer = subprocess.run([nvcc, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    release = re.search(r"release ([\d.]+)", answer.stdout)
    if release is None:
        return Check("CUDA toolkit", False, f"{nvcc} does not answer", "reinstall the CUDA toolkit")
    return Check("CUDA toolkit", True, f"{release.group(1)} ({nvcc})")


def jetson_board(root: Path) -> Check:
    """Model and chip from the device tree."""
    model, soc = board.model(root), board.soc(root)
    if not model:
        return Check("board", False, f"not a Jetson ({platform.machine()})")
    return Check("board", True, f"{model} ({soc})" if soc else model)


def jetpack(root: Path) -> Check:
    """JetPack, from the release of Jetson Linux."""
    release = board.l4t(root)
    if not release:
        return Check("JetPack", False, "no Jetson Linux here")
    major = board.jetpack(release)
    if major == "4":
        reason = f"4 (Jetson Linux {release}) is not supported: its Python 3.6 and TensorRT 8.2 are too old"
        return Check("JetPack", False, reason, "install JetPack 5 where the board has it")
    return Check("JetPack", bool(major), f"{major or 'of unknown version'} (Jetson Linux {release})")


def cameras(root: Path) -> Check:
    """Video devices and whether this user may open them."""
    nodes = sorted(root.glob("dev/video[0-9]*"), key=lambda node: (len(node.name), node.name))
    if not nodes:
        return Check("cameras", False, "no /dev/video*", "connect one; in a container, add --device /dev/video0")
    names = [_camera_name(root, node) for node in nodes]
    closed = [node.name for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        fix = "sudo usermod -aG video $USER, then log in again"
        return Check("cameras", False, f"no permission to open {', '.join(closed)} of {', '.join(names)}", fix)
    return Check("cameras", True, ", ".join(names))


def power_sensors(root: Path) -> Check:
    """What measures watts here, the preferred one first; `edge-power` shows them."""
    reasons = power.reasons(root)
    usable = [name for name, reason in reasons.items() if reason is None]
    if usable:
        return Check("power sensors", True, ", ".join(usable))
    closed = next((reason for reason in reasons.values() if reason and "sudo" in reason), "none found")
    fact, _, fix = closed.partition(": ")
    return Check("power sensors", False, fact, fix or None)


def _device_name(cuda: Any, index: int) -> str:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    cuda.cuDeviceGet(ctypes.byref(device), index)
    cuda.cuDeviceGetName(name, len(name), device)
    return name.value.decode()


def _camera_name(root: Path, node: Path) -> str:
    name = board.read(root / "sys/class/video4linux" / node.name / "name")
    return f"/dev/{node.name} ({name})" if name else f"/dev/{node.name}"
