"""nvpmodel's power modes, read from its configuration: names, caps, masks.

IDs are not portable (15 W is 2 on AGX Xavier, 0 on Orin Nano), so modes are asked for by name. A mode caps clocks, not
watts.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from edge_runtime.errors import BoardError, UsageError
from edge_runtime.jetson import board

CONF, STATUS = "etc/nvpmodel.conf", "var/lib/nvpmodel/status"
HEADER = re.compile(r"<\s*(PARAM|POWER_MODEL|PM_CONFIG)\b(.*)>")
LONGEST = 1000  # characters of a line that are looked at
UNCAPPED = ("-1", "2147483647", "9223372036854775807")
NEXT_KERNEL = "_KNEXT"  # paths that a newer kernel has
GPU_FOLDERS = ("/sys/devices/gpu.0/", "/sys/devices/platform/gpu.0/")  # the same device, by kernel
MASK = "PG_MASK"  # settings that power parts of the chip off: a change of one needs a reboot
# 15W, and 28_1_W or 28_W as NVIDIA's Power Estimator writes it.
WATTS = re.compile(r"(?:^|[_-])(?:(\d+(?:\.\d+)?)W|(\d+(?:_\d+)?)_W)(?:[_-]|$)", re.IGNORECASE)
# Thor keeps its masks outside the configuration. These are the masks of a T5000.
THOR_MASKS = {"MAXN": 512, "120W": 512, "90W": 17353, "70W": 17353}
THOR_MASK_FILE = "opt/nvidia/l4t-gpusetup/gpu_pg_mask"


@dataclass(frozen=True)
class Setting:
    """One line of a mode: `GPU MAX_FREQ 670000000`."""

    param: str
    arg: str
    value: str

    @property
    def name(self) -> str:
        """As the configuration writes it."""
        return f"{self.param} {self.arg}"


@dataclass(frozen=True)
class Mode:
    """A power mode of this board."""

    id: int
    name: str
    settings: Tuple[Setting, ...] = ()

    @property
    def nominal_w(self) -> Optional[float]:
        """Watts in the name: 15 of MODE_15W_2CORE, 28.1 of MODE_28_1_W; None of MAXN."""
        return watts_of(self.name)


@dataclass(frozen=True)
class Conf:
    """Content of an nvpmodel.conf.

    Attributes:
        paths: file of each (parameter, argument); of HWMON rows with a `*` for the folder whose number changes.
        modes: in the order of the file; IDs may have gaps.
        default: ID of the mode after flashing.
    """

    paths: Mapping[Tuple[str, str], str]
    modes: Tuple[Mode, ...]
    default: Optional[int]

    def mode(self, number: Optional[int]) -> Optional[Mode]:
        """The mode with this ID; None if there is none."""
        return next((mode for mode in self.modes if mode.id == number), None)

    def live(self, root: Path, setting: Setting, arg: str = "") -> Optional[Path]:
        """The file of a setting (or of its sibling `arg`) on this kernel; None if it does not exist."""
        arg = arg or setting.arg
        for name in (arg + NEXT_KERNEL, arg):
            path = self.paths.get((setting.param, name), "").lstrip("/")
            if "**" in path or ".." in path.split("/"):
                continue  # no real configuration has these: they would search the whole disk, or leave `root`
            for old, new in (("", ""), GPU_FOLDERS, GPU_FOLDERS[::-1]):
                found = next(_glob(root, path.replace(old.lstrip("/"), new.lstrip("/"), 1)), None)
                if found:
                    return found
        return None


def _glob(root: Path, pattern: str) -> Iterator[Path]:
    with suppress(OSError, ValueError, RecursionError):  # a name that no file can have
        yield from root.glob(pattern) if pattern else ()


def parse(text: str) -> Conf:
    """Reads a configuration: `<PARAM` without a blank, repeated blanks, comments inside, unknown sections.

    Raises:
        BoardError: it names no mode.
    """
    paths: Dict[Tuple[str, str], str] = {}
    modes: List[Tuple[int, str, List[Setting]]] = []
    default, section, name = None, "", ""
    for line in (line[:LONGEST].split("#")[0].strip() for line in text.splitlines()):
        header = HEADER.match(line)
        words = line.split()
        if header:
            fields = dict(re.findall(r"(\w+)=([^\s>]+)", header.group(2)))
            section, name = header.group(1), fields.get("NAME", "")
            if section == "POWER_MODEL" and board.is_whole(fields.get("ID", "")):
                modes.append((int(fields["ID"]), name, []))
            elif section == "PM_CONFIG" and board.is_whole(fields.get("DEFAULT", "")):
                default = int(fields["DEFAULT"])
        elif line.startswith("<"):
            section = ""
        elif section == "PARAM" and len(words) in (2, 3):
            paths[name, words[0]] = "/*/".join(words[1:])
        elif section == "POWER_MODEL" and modes and len(words) == 3:
            modes[-1][2].append(Setting(*words))
    if not modes:
        raise BoardError("nvpmodel's configuration names no mode", hint=f"/{CONF} is a link: does it lead somewhere?")
    return Conf(paths, tuple(Mode(number, title, tuple(rows)) for number, title, rows in modes), default)


def load_conf(root: Path = Path("/")) -> Conf:
    """The configuration of this board.

    Raises:
        BoardError: it has none, or one without modes.
    """
    if not (root / CONF).is_file():
        raise BoardError("no nvpmodel here, so no power modes", hint="only a Jetson has power modes; see edge-doctor")
    return parse(board.read_text(root / CONF))


def current(root: Path, conf: Conf) -> Optional[Mode]:
    """The mode that was set last, by the status file. The clocks may be different."""
    status = re.search(r"pmode:(\d{1,9})\b", board.read_text(root / STATUS))
    return conf.mode(int(status.group(1))) if status else None


def current_name(root: Path = Path("/")) -> str:
    """Name of the mode that was set last; empty if there is none."""
    try:
        mode = current(root, load_conf(root))
    except BoardError:
        return ""
    return mode.name if mode else ""


def watts_of(name: str) -> Optional[float]:
    """Watts in a mode's name; None if it has none."""
    found = WATTS.search(name)
    watts = float((found.group(1) or found.group(2)).replace("_", ".")) if found else 0.0
    return watts or None


def resolve(conf: Conf, wanted: str) -> Tuple[Mode, str]:
    """The mode that "15W", "MODE_15W", "28.1W", "MAXN" or an ID means, and a remark if several modes fitted.

    If several modes have the same watts, it is the one with all cores (MODE_30W_ALL), else the board's default.

    Raises:
        UsageError: no mode fits, or several fit and none of them is the default.
    """
    text, listed = wanted.strip().upper(), ", ".join(f"{mode.id} {mode.name}" for mode in conf.modes)
    exact = [mode for mode in conf.modes if mode.name.upper() in (text, f"MODE_{text}") or str(mode.id) == text]
    if exact:
        return exact[0], ""
    alike = [mode for mode in conf.modes if _means(text, mode)]
    if len(alike) == 1:
        return alike[0], f"{wanted} is {alike[0].name} on this board"
    chosen = [mode for mode in alike if mode.name.upper().endswith("_ALL")] or [
        mode for mode in alike if mode.id == conf.default
    ]
    if chosen:
        return chosen[0], f"{wanted} is {chosen[0].name} here, of {', '.join(mode.name for mode in alike)}"
    if alike:
        names = ", ".join(mode.name for mode in alike)
        raise UsageError(f"{wanted} may be any of {names}", hint="say which one")
    raise UsageError(f"no power mode {wanted!r} on this board", hint=f"there is: {listed}")


def _means(text: str, mode: Mode) -> bool:
    """Whether it is a word of the mode's name, or its watts as people write them. A number alone is an ID."""
    if re.fullmatch(r"[\d.]+W", text):
        return watts_of(text) == mode.nominal_w is not None
    return text in mode.name.upper().split("_") and not board.is_whole(text)


def reboot_reason(root: Path, conf: Conf, target: Mode) -> Optional[str]:
    """Why a switch to this mode would need a reboot: other parts are powered off now. None if no reboot is needed.

    Uses the masks of the running kernel. If they cannot be read, uses those of the mode that was set last.
    """
    before = current(root, conf)
    for setting in target.settings:
        if MASK not in setting.arg:
            continue
        live = _integer(board.read_text(conf.live(root, setting) or Path("/nowhere")))
        if live is None and before:
            live = next((_integer(row.value) for row in before.settings if row.name == setting.name), None)
        if live is not None and live != _integer(setting.value):
            return f"{setting.arg} is {live}, {target.name} wants {setting.value}"
    module = board.module(root)
    if module.soc == "tegra264" and not module.variant.startswith("T4000") and target.name in THOR_MASKS:
        live = _integer(board.read_text(root / THOR_MASK_FILE)) or THOR_MASKS.get(before.name if before else "")
        if live not in (None, THOR_MASKS[target.name]):
            return f"the GPU's mask is {live}, {target.name} wants {THOR_MASKS[target.name]}"
    return None


def _integer(text: str) -> Optional[int]:
    """The last whole number of a text, `gpu_pg_mask_param=512` or `0xf0`; None if there is none."""
    found = re.findall(r"0x[0-9a-fA-F]{1,16}\b|-?\b\d{1,19}\b", text)
    return int(found[-1], 16 if found[-1].startswith("0x") else 10) if found else None
