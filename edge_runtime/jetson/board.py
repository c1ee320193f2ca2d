"""Which board this is and what it runs, read from files. Any folder with the same layout can stand in for `/`."""

from __future__ import annotations

import os
import re
from math import isfinite
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from edge_runtime.files import read
from edge_runtime.jetson import modules
from edge_runtime.jetson.modules import Module

# A container sees an empty device tree: the script that started it leaves copies of the two files.
MODEL_FILES = ("proc/device-tree/model", "tmp/nv_jetson_model")
COMPATIBLE_FILES = ("proc/device-tree/compatible", "tmp/nv_jetson_compatible")
JETPACK_OF_L4T = {"32": "4", "34": "5", "35": "5", "36": "6", "38": "7", "39": "7"}
MINOR_OF_L4T: Dict[str, str] = {
    "32.6.1": "4.6", **{f"32.7.{n}": f"4.6.{n}" for n in range(1, 7)},
    "35.1.0": "5.0.2", "35.2.1": "5.1", "35.3.1": "5.1.1", "35.4.1": "5.1.2", "35.5.0": "5.1.3", "35.6.0": "5.1.4",
    "35.6.1": "5.1.5", "35.6.2": "5.1.5", "35.6.3": "5.1.5", "35.6.4": "5.1.6",
    "36.3.0": "6.0", "36.4.0": "6.1", "36.4.3": "6.2", "36.4.4": "6.2.1", "36.4.7": "6.2.1", "36.5.0": "6.2.2",
    "38.2.0": "7.0", "38.2.1": "7.0", "38.2.2": "7.0", "38.4.0": "7.1", "39.2.0": "7.2",
}  # fmt: skip
CAPABILITY_OF_SOC = {"tegra210": "5.3", "tegra186": "6.2", "tegra194": "7.2", "tegra234": "8.7", "tegra264": "11.0"}
# The GPU's clock is named after its chip. A container sees it, even if nobody left copies of the device tree there.
SOC_OF_GPU = {
    "57000000.gpu": "tegra210", "17000000.gp10b": "tegra186", "17000000.gv11b": "tegra194",
    "17000000.ga10b": "tegra234", "17000000.gpu": "tegra234",
}  # fmt: skip
NVIDIA_PCI, DISPLAY_PCI = "0x10de", "0x03"
MOST, DIGITS = 64 * read.MIB, 19  # bytes of a text; digits of a whole number
COMMON = ("nvidia", "jetson", "engineering", "reference", "developer", "kit")  # words of every board's model


def root() -> Path:
    """The folder that stands for `/`, from $EDGE_SYSROOT: a recorded tree can stand in for a board."""
    return Path(os.environ.get("EDGE_SYSROOT", "/"))


def read_text(path: Path) -> str:
    """Text of a small system file, without NULs and without blanks around it. Empty if it cannot be read."""
    try:
        return read.read_bytes(path, MOST).decode(errors="replace").replace("\0", " ").strip()
    except ValueError:
        return ""


def number(path: Path) -> Optional[float]:
    """The number in a file. None if it cannot be read (EACCES, EAGAIN, no such file) or holds something else."""
    try:
        value = float(path.read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return value if isfinite(value) else None


def is_whole(text: str) -> bool:
    """Whether a text is a whole number that `int` reads at once."""
    return len(text) <= DIGITS and text.isdecimal()


def module(root: Path = Path("/")) -> Module:
    """The module: by its part number if that is known, else by the name that the board gives itself."""
    if _is_x86(root):
        return Module()
    gpu = next((SOC_OF_GPU[path.name] for path in root.glob("sys/class/devfreq/*") if path.name in SOC_OF_GPU), "")
    return modules.find_module(_first(root, COMPATIBLE_FILES), _first(root, MODEL_FILES), gpu)


def is_jetson(root: Path = Path("/")) -> bool:
    """Whether the tree below `root` is that of a Jetson, or of a container on one. Its chip or its release tells.

    DRIVE computers have the same chips. An IGX board may use a graphics card instead of the chip's GPU.
    """
    if modules.is_drive(_first(root, COMPATIBLE_FILES), _first(root, MODEL_FILES)) or has_graphics_card(root):
        return False
    return module(root).soc in CAPABILITY_OF_SOC or bool(l4t(root))


def has_graphics_card(root: Path = Path("/")) -> bool:
    """Whether this is an IGX or Clara board whose GPU is a card."""
    if module(root).family not in modules.WITH_GRAPHICS_CARD:
        return False
    return any(
        read_text(device / "vendor") == NVIDIA_PCI and read_text(device / "class").startswith(DISPLAY_PCI)
        for device in root.glob("sys/bus/pci/devices/*")
    )


def name(root: Path = Path("/")) -> str:
    """Module and memory, "Jetson Orin Nano 8GB", as far as they are known. Empty if it is not a Jetson."""
    if not is_jetson(root):
        return ""
    found = module(root)
    return found.name or f"Jetson {found.soc}".strip()


def model(root: Path = Path("/")) -> str:
    """What the board calls itself, "NVIDIA Orin Nano Developer Kit", else its name. Empty if it is not a Jetson."""
    return (_first(root, MODEL_FILES) or name(root)) if is_jetson(root) else ""


def describe(root: Path = Path("/")) -> str:
    """For people: name, model and chip, "Jetson Orin Nano 8GB (NVIDIA Orin Nano Developer Kit, tegra234)"."""
    found, itself = module(root), _first(root, MODEL_FILES)
    if not is_jetson(root):
        card = f"{found.family} with a graphics card" if found.family else itself
        return f"not a Jetson{f' ({card})' if card else ''}"
    more = [text for text in (itself, found.soc) if text and text not in name(root)]
    return f"{name(root)} ({', '.join(more)})" if more else name(root)


def soc(root: Path = Path("/")) -> str:
    """The chip, "tegra234"; empty on other machines."""
    return module(root).soc


def l4t(root: Path = Path("/")) -> str:
    """Release of Jetson Linux, "36.4.3", from /etc/nv_tegra_release or the package nvidia-l4t-core; else empty."""
    if _is_x86(root):
        return ""
    release = re.search(r"R(\d+) .*?REVISION: ([\d.]+)", read_text(root / "etc/nv_tegra_release"))
    if release:
        return ".".join(release.groups())
    core = re.search(
        r"^Package: nvidia-l4t-core\n(?:.+\n)*?Version: ([\d.]+)", read_text(root / "var/lib/dpkg/status"), re.M
    )
    return core.group(1) if core else ""


def jetpack(release: str) -> str:
    """Major version of JetPack for a release of Jetson Linux: "36.4.3" -> "6". Empty if unknown."""
    return JETPACK_OF_L4T.get(release.split(".")[0], "")


def jetpack_version(release: str) -> str:
    """Version of JetPack as far as it is known: "36.4.3" -> "6.2", "36.9.0" -> "6". Empty if unknown."""
    return MINOR_OF_L4T.get(release, jetpack(release))


def compute_capability(root: Path = Path("/")) -> str:
    """Compute capability of a Jetson's GPU, "8.7", by its chip. CUDA is not needed. Empty on other machines."""
    return CAPABILITY_OF_SOC.get(soc(root), "") if is_jetson(root) else ""


def slug(root: Path = Path("/")) -> str:
    """Name of the folder for plans of this machine: "orin-nano"; "pc" on a computer. It is the same in a container.

    The name says the family only, because a container may know no more than the model.
    """
    found = module(root)
    words = found.family.replace("Jetson ", "").lower().split()
    return "-".join(words) or ((found.soc or "jetson") if is_jetson(root) else "pc")


def former_slugs(root: Path = Path("/")) -> List[str]:
    """Names that earlier versions gave the folder. Plans may still be there."""
    words = re.findall(r"[a-z0-9]+", _first(root, MODEL_FILES).lower())
    last = _first(root, COMPATIBLE_FILES).rpartition("nvidia,")[2]
    by_model = "-".join(word for word in words if word not in COMMON)
    return list(dict.fromkeys(filter(None, (slug(root), by_model, last if last.startswith("tegra") else ""))))


def _first(root: Path, paths: Sequence[str]) -> str:
    """The text of the first file that is not empty."""
    return next(filter(None, (read_text(root / path) for path in paths)), "")


def _is_x86(root: Path) -> bool:
    """Whether the processor is that of a PC. A PC may hold copies of a board's files."""
    return "vendor_id" in read_text(root / "proc/cpuinfo")
