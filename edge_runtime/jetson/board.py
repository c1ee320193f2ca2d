"""Which board this is and what it runs, read from files; any folder laid out alike can stand in for `/`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Optional

# A container sees an empty device tree; jetson-containers' run script leaves the model here.
MODEL_FILES = ("proc/device-tree/model", "tmp/nv_jetson_model")
JETPACK_OF_L4T = {"32": "4", "35": "5", "36": "6", "38": "7", "39": "7"}
COMMON = ("nvidia", "jetson", "engineering", "reference", "developer", "kit")  # words of every board's name
CAPABILITY_OF_SOC = {"tegra210": "5.3", "tegra186": "6.2", "tegra194": "7.2", "tegra234": "8.7", "tegra264": "11.0"}


def root() -> Path:
    """The folder that stands for `/`, from $EDGE_SYSROOT: a recorded tree can stand in for a board."""
    return Path(os.environ.get("EDGE_SYSROOT", "/"))


def read(path: Path) -> str:
    """Text of a small system file without NULs and surrounding blanks; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def number(path: Path) -> Optional[float]:
    """The number in a file; None where it cannot be read, or holds something else (EACCES, EAGAIN, a vanished file)."""
    try:
        return float(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def model(root: Path = Path("/")) -> str:
    """The board's name, "NVIDIA Jetson Orin Nano Developer Kit"; empty on other machines."""
    name = next(filter(None, (read(root / path) for path in MODEL_FILES)), "")
    return name if "jetson" in name.lower() else ""


def is_jetson(root: Path = Path("/")) -> bool:
    """Whether the tree below `root` is that of a Jetson, or of a container on one."""
    return bool(model(root) or l4t(root))


def soc(root: Path = Path("/")) -> str:
    """The chip, "tegra234"; empty on other machines."""
    last = read(root / "proc/device-tree/compatible").split(" ")[-1]
    return last[len("nvidia,") :] if last.startswith("nvidia,tegra") else ""


def l4t(root: Path = Path("/")) -> str:
    """Release of Jetson Linux, "36.4.3", from /etc/nv_tegra_release or the installed nvidia-l4t-core; else empty."""
    release = re.search(r"R(\d+) .*?REVISION: ([\d.]+)", read(root / "etc/nv_tegra_release"))
    if release:
        return ".".join(release.groups())
    core = re.search(
        r"^Package: nvidia-l4t-core\n(?:.+\n)*?Version: ([\d.]+)", read(root / "var/lib/dpkg/status"), re.M
    )
    return core.group(1) if core else ""


def jetpack(release: str) -> str:
    """Major version of JetPack for a release of Jetson Linux: "36.4.3" -> "6"; empty where unknown."""
    return JETPACK_OF_L4T.get(release.split(".")[0], "")


def compute_capability(root: Path = Path("/")) -> str:
    """That of a Jetson's GPU, "8.7", told by its chip, without CUDA; empty on other machines."""
    return CAPABILITY_OF_SOC.get(soc(root), "")


def slug(root: Path = Path("/")) -> str:
    """A folder name for what is built on this machine: "agx-orin"; "pc" on one that is no Jetson."""
    words = re.findall(r"[a-z0-9]+", model(root).lower())
    return "-".join(word for word in words if word not in COMMON) or soc(root) or "pc"
