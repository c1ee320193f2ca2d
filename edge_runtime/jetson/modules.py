"""Which module a board carries, from the texts of its device tree.

NVIDIA's part numbers in `compatible` are the surest sign. The model is a name that the maker of the carrier board
chose: "quill", "Jetson-AGX", or a product of another company.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Tuple

PART = re.compile(r"[pe]\d{4}(?:-\d{4})?")
# Family, then variant. Some numbers are those of a developer kit, because its tree names no module.
MODULES: Dict[str, Tuple[str, str]] = {
    "p2180-1000": ("Jetson TX1", "4GB"),
    "p2371-2180": ("Jetson TX1", "4GB"),
    "p2597-2180": ("Jetson TX1", "4GB"),
    "p3448-0000": ("Jetson Nano", "4GB"),
    "p3448-0002": ("Jetson Nano", "4GB"),
    "p3448-0003": ("Jetson Nano", "2GB"),
    "p3450-0000": ("Jetson Nano", "4GB"),
    "p3310-1000": ("Jetson TX2", "8GB"),
    "p3489-0000": ("Jetson TX2", "Industrial 8GB"),
    "p3489-0888": ("Jetson TX2", "4GB"),
    "p2771-0000": ("Jetson TX2", "8GB"),
    "p3636-0001": ("Jetson TX2 NX", "4GB"),
    "p2888-0001": ("Jetson AGX Xavier", "16GB"),
    "p2888-0003": ("Jetson AGX Xavier", "32GB"),
    "p2888-0004": ("Jetson AGX Xavier", "32GB"),
    "p2888-0005": ("Jetson AGX Xavier", "64GB"),
    "p2888-0006": ("Jetson AGX Xavier", "8GB"),
    "p2888-0008": ("Jetson AGX Xavier", "Industrial 32GB"),
    "p2972-0000": ("Jetson AGX Xavier", ""),  # 16 or 32 GB
    "p2972-0006": ("Jetson AGX Xavier", "8GB"),
    "p3668-0000": ("Jetson Xavier NX", "8GB"),
    "p3668-0001": ("Jetson Xavier NX", "8GB"),
    "p3668-0003": ("Jetson Xavier NX", "16GB"),
    "p3701-0000": ("Jetson AGX Orin", ""),  # the developer kit: 32 or 64 GB
    "p3701-0004": ("Jetson AGX Orin", "32GB"),
    "p3701-0005": ("Jetson AGX Orin", "64GB"),
    "p3701-0008": ("Jetson AGX Orin", "Industrial 64GB"),
    "p3767-0000": ("Jetson Orin NX", "16GB"),
    "p3767-0001": ("Jetson Orin NX", "8GB"),
    "p3767-0002": ("Jetson Orin NX", "16GB"),
    "p3767-0003": ("Jetson Orin Nano", "8GB"),
    "p3767-0004": ("Jetson Orin Nano", "4GB"),
    "p3767-0005": ("Jetson Orin Nano", "8GB"),
    "p3834-0000": ("Jetson AGX Thor", "T4000 64GB"),
    "p3834-0008": ("Jetson AGX Thor", "T5000 128GB"),
}
# Products that carry a Jetson's module but are not called Jetson.
CARRIERS = {"p3740": "IGX Orin", "e3900": "Clara AGX"}
# Chip and model of each family. The first match counts.
FAMILIES: Tuple[Tuple[str, str, str], ...] = (
    ("IGX Thor", "tegra264", r"\bigx.?thor"),
    ("IGX Orin", "tegra234", r"\bigx.?orin|clara.?holoscan"),
    ("Clara AGX", "tegra194", r"clara.?agx"),
    ("Jetson AGX Thor", "tegra264", r"(agx|jetson).?thor|jetson.?t[45]000"),
    ("Jetson AGX Orin", "tegra234", r"agx.?orin"),
    ("Jetson Orin NX", "tegra234", r"orin.?nx"),
    ("Jetson Orin Nano", "tegra234", r"orin.?nano"),
    ("Jetson Xavier NX", "tegra194", r"xavier.?nx"),
    ("Jetson AGX Xavier", "tegra194", r"agx.?xavier|jetson.?(agx|xavier)$|\bgalen\b"),
    ("Jetson TX2 NX", "tegra186", r"jetson.?tx2.?nx|lanai.?3636"),
    ("Jetson TX2", "tegra186", r"jetson.?tx2|\bquill\b|\blanai\b"),
    ("Jetson TX1", "tegra210", r"jetson.?tx1"),
    ("Jetson Nano", "tegra210", r"jetson.?nano"),
)
CHIPS = {family: chip for family, chip, _ in FAMILIES}
WITH_GRAPHICS_CARD = ("IGX Orin", "Clara AGX")  # boards also sold with a graphics card, which is then used
DRIVE = re.compile(r"\bdrive\b|\b(e3550|p3479|p3663|p3710|p3898|p3960)\b")


@dataclass(frozen=True)
class Module:
    """What the texts say about the module. A field is empty if they do not say it.

    Attributes:
        family: "Jetson Orin Nano".
        variant: "8GB"; empty if only the model is known.
        soc: "tegra234".
    """

    family: str = ""
    variant: str = ""
    soc: str = ""

    @property
    def name(self) -> str:
        """Name of the module: "Jetson Orin Nano 8GB"."""
        return f"{self.family} {self.variant}".strip()


def soc(compatible: str) -> str:
    """The chip: the entry with digits only, because every Orin of L4T 35 ends with nvidia,tegra23x; else empty."""
    entries = re.findall(r"(?<!\S)nvidia,(tegra\d+)(?!\S)", compatible.lower())
    return entries[0] if entries else ""


def is_drive(compatible: str, model: str) -> bool:
    """Whether it is a DRIVE computer: it has a Jetson's chip, but no Jetson module, and runs another system."""
    modules = [part for part in PART.findall(compatible.lower()) if part in MODULES]
    return not modules and bool(DRIVE.search(f"{compatible} {model}".lower()))


def find_module(compatible: str, model: str, chip: str = "") -> Module:
    """The module by its part number, else its family by the first half of a number or by the model.

    Args:
        compatible: entries of the device tree, with blanks between.
        chip: the chip if it is known from elsewhere. A model that belongs to another chip is ignored.
    """
    chip = soc(compatible) or chip
    if is_drive(compatible, model):
        return Module(soc=chip)
    by_model = _family(model, chip)
    carriers = [CARRIERS[part[:5]] for part in PART.findall(compatible.lower()) if part[:5] in CARRIERS]
    product = carriers[0] if carriers else "" if by_model.startswith("Jetson") else by_model
    family, variant = (product, "") if product else _number(compatible)
    family = family or by_model
    return Module(family, variant, chip or CHIPS.get(family, ""))


def _family(model: str, chip: str) -> str:
    """The first family that the model names. If the chip is known, the family must have this chip."""
    fitting = (family for family, of, words in FAMILIES if chip in ("", of) and re.search(words, model.lower()))
    return next(fitting, "")


def _number(compatible: str) -> Tuple[str, str]:
    """Family and variant by the part numbers. Only the family if a number is newer than this list."""
    parts = PART.findall(compatible.lower())
    known = [MODULES[part] for part in parts if part in MODULES]
    if known:
        family = known[0][0]
        variants = {variant for of, variant in known if of == family and variant}  # one tree may serve several
        return family, variants.pop() if len(variants) == 1 else ""
    for part in parts:
        families = {family for number, (family, _) in MODULES.items() if number[:5] == part[:5]}
        if len(families) == 1:
            return families.pop(), ""
    return "", ""
