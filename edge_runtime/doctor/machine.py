"""The doctor's checks of the machine: CUDA, board, memory, power sensors. It uses the standard library only."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import List, Optional, Sequence

from edge_runtime import power
from edge_runtime.doctor.check import Check
from edge_runtime.doctor.trial import attempt
from edge_runtime.gpu import cuda_driver
from edge_runtime.jetson import board
from edge_runtime.libraries import causes
from edge_runtime.machine import meminfo

NVIDIA = "0x10de"  # its vendor number on the PCI bus
ADD_TO_PATH = "export PATH=/usr/local/cuda/bin:$PATH"
GPU_NODES = ("dev/nvmap", "dev/nvhost-gpu", "dev/nvgpu/igpu0/*", "dev/dri/renderD*", "dev/nvidiactl")
GIB = 1 << 30
SMALL, BUILDING = 4.5 * GIB, 1.5 * GIB  # memory of boards sold as 4 GB; memory that a build may need
NANO = "take an image with Ubuntu 20.04, Python 3.8 and TensorRT 8, and calibrate on another machine"


def has_gpu(root: Path) -> bool:
    """Whether there is an NVIDIA GPU, with or without a driver."""
    vendors = (board.read_text(path) for path in root.glob("sys/bus/pci/devices/*/vendor"))
    return board.is_jetson(root) or cuda_driver.driver() is not None or NVIDIA in vendors


def cuda_devices(root: Path, quick: bool = False) -> Check:
    """The driver and its devices. The driver is asked directly, so no toolkit is needed."""
    if cuda_driver.driver() is None:
        fix = "sudo apt install nvidia-l4t-cuda; in a container --runtime nvidia" if board.is_jetson(root) else None
        absent = not has_gpu(root)
        return Check("CUDA driver", False, "libcuda.so.1 not found", fix or causes.DRIVER, absent)
    found = attempt("cuda_devices", root, quick)
    closed = _closed(root, GPU_NODES)
    if found.reason and closed:
        return Check("CUDA driver", False, f"{found.detail}; no permission for {', '.join(closed)}", causes.GROUPS)
    return Check("CUDA driver", not found.reason, found.detail, found.fix)


def cuda_toolkit(root: Path) -> Check:
    """The compiler that builds kernels on the machine they run on."""
    nvcc = shutil.which("nvcc") or _default_nvcc(root)
    if nvcc is None:
        fix = "sudo apt install nvidia-jetpack" if board.is_jetson(root) else "install NVIDIA's CUDA toolkit"
        return Check("CUDA toolkit", False, "nvcc not found", fix, absent=not board.is_jetson(root))
    try:
        said = subprocess.run(
            [nvcc, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("CUDA toolkit", False, f"{nvcc} does not start: {error}", "reinstall the CUDA toolkit")
    release = re.search(r"release ([\d.]+)", said.stdout)
    if release is None:
        return Check("CUDA toolkit", False, f"{nvcc} does not answer", "reinstall the CUDA toolkit")
    if off_path(root):
        return Check("CUDA toolkit", True, f"{release.group(1)} ({nvcc}), not on PATH", ADD_TO_PATH)
    return Check("CUDA toolkit", True, f"{release.group(1)} ({nvcc})")


def off_path(root: Path) -> bool:
    """Whether there is a toolkit that pip would not find when it compiles."""
    return shutil.which("nvcc") is None and _default_nvcc(root) is not None


def jetson_board(root: Path) -> Check:
    """Module, model and chip from the device tree."""
    if board.is_jetson(root):
        return Check("board", True, board.describe(root))
    return Check("board", False, f"{board.describe(root)} ({platform.machine()})", absent=True)


def jetpack(root: Path) -> Check:
    """JetPack, from the release of Jetson Linux."""
    release = board.l4t(root)
    if not release:
        return Check("JetPack", False, "no Jetson Linux here", absent=not board.model(root))
    major = board.jetpack(release)
    ubuntu = re.search(r'^VERSION_ID="?([\d.]+)', board.read_text(root / "etc/os-release"), re.M)
    if major == "4" and (ubuntu is None or ubuntu.group(1) < "20"):
        reason = f"4 (Jetson Linux {release}) as it comes is not supported: its Python 3.6 is too old"
        return Check("JetPack", False, reason, NANO)
    version = board.jetpack_version(release) or "of unknown version"
    return Check("JetPack", bool(major), f"{version} (Jetson Linux {release})")


def memory(root: Path) -> Check:
    """Memory. Building a plan takes one or two gigabytes. Without them the system kills it, mostly on small boards."""
    found = meminfo(root)
    if not found:
        return Check("memory", False, "/proc/meminfo cannot be read", absent=True)
    total, free, swap = (found.get(name, 0) for name in ("MemTotal", "MemAvailable", "SwapTotal"))
    said = f"{swap / GIB:.1f} GiB of swap" if swap else "no swap"
    detail = f"{total / GIB:.1f} GiB, {free / GIB:.1f} GiB free, {said}"
    short = (total <= SMALL and not swap) or free + found.get("SwapFree", 0) < BUILDING
    if short and has_gpu(root):
        return Check("memory", False, f"{detail}: building a plan may be killed", causes.SWAP)
    return Check("memory", True, detail)


def power_sensors(root: Path) -> Check:
    """The power meters of this machine, the preferred one first. `edge-power` shows their watts."""
    reasons = power.reasons(root)
    usable = [name for name, reason in reasons.items() if reason is None]
    if usable:
        return Check("power sensors", True, ", ".join(usable))
    closed = next((reason for reason in reasons.values() if reason and "sudo" in reason), "none found")
    fact, _, fix = closed.partition(": ")
    return Check("power sensors", False, fact, fix or None, absent=not fix)


def _default_nvcc(root: Path) -> Optional[str]:
    places = [root / "usr/local/cuda/bin/nvcc", *sorted(root.glob("usr/local/cuda-*/bin/nvcc"), reverse=True)]
    return next((str(path) for path in places if os.access(path, os.X_OK)), None)


def _closed(root: Path, patterns: Sequence[str]) -> List[str]:
    """Devices that this user may not open."""
    nodes = [node for pattern in patterns for node in sorted(root.glob(pattern))]
    return [f"/{node.relative_to(root)}" for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
