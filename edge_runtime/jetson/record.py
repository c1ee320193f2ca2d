"""Records a board in one file: every file that we read, as plain data for JSON. `layout` makes a folder of it again.

Only the files listed here are read. Serial numbers, addresses and host names are left out.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
from collections import deque
from pathlib import Path
from typing import Any, Deque, Dict, Iterator, List, Optional

from edge_runtime.errors import BoardError
from edge_runtime.jetson import board, hold, nvpmodel, private, probe

DPKG, CPUINFO = "var/lib/dpkg/status", "proc/cpuinfo"
READ = (
    *board.MODEL_FILES, "proc/device-tree/compatible", "tmp/nv_jetson_*", "etc/nv_tegra_release", DPKG,
    "proc/meminfo", "proc/swaps", "proc/sys/kernel/osrelease", CPUINFO, "etc/os-release",
    "sys/bus/pci/devices/*/vendor", "sys/bus/pci/devices/*/class",
    nvpmodel.CONF, nvpmodel.STATUS, nvpmodel.THOR_MASK_FILE, hold.STATE,
    "sys/class/devfreq/*/*_freq", "sys/class/devfreq/*/available_frequencies", "sys/class/devfreq/*/governor",
    *(f"sys/devices/{pattern}" for pattern in probe.GPU_LOAD),
    *probe.EMC_RATES, "sys/kernel/debug/bpmp/debug/clk/nafll_*/max_rate",
    "sys/devices/system/cpu/online", "sys/devices/system/cpu/possible", "sys/devices/system/cpu/present",
    "sys/devices/system/cpu/cpu[0-9]*/online", "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_*",
    "sys/class/thermal/thermal_zone*/type", "sys/class/thermal/thermal_zone*/temp",
    "sys/class/thermal/cooling_device*/type", "sys/class/thermal/cooling_device*/cur_state",
    "sys/class/thermal/cooling_device*/max_state", "sys/class/hwmon/hwmon*/name", "sys/bus/i2c/devices/*/name",
    "sys/bus/i2c/devices/*/hwmon/hwmon*/name", "sys/bus/i2c/devices/*/iio[:_]device*/name",
    "sys/class/powercap/intel-rapl:*/name", "sys/class/powercap/intel-rapl:*/*energy*_uj",
    "sys/class/video4linux/video*/name", "sys/class/video4linux/video*/index",
)  # fmt: skip
THERE = (  # only whether they exist and where they lead counts
    "dev/video[0-9]*", "dev/nvhost-*", "dev/nvmap", "dev/nvidia*", "dev/dri/*", "run/jtop.sock", "tmp/argus_socket",
    "usr/lib/python3*/dist-packages/tensorrt/__init__.py",
    "sys/class/video4linux/video*/device/driver",
)  # fmt: skip
WHOLE = {"ina3221", "ina3221x", "ina238", "soctherm_oc"}  # chips whose files are all read
PROCESSOR = re.compile(r"processor|vendor_id|model name|CPU (implementer|architecture|part)")
PACKAGES = re.compile(r"Package: (nvidia-|libnvinfer|python3-libnvinfer|tensorrt|cuda-nvcc)")
NVPMODEL = "usr/sbin/nvpmodel"
TEGRASTATS, SAID = "usr/bin/tegrastats", "tegrastats.txt"
PROGRAMS = (TEGRASTATS, NVPMODEL, "usr/bin/jetson_clocks")
CHIPS = ("sys/class/hwmon/hwmon*", "sys/bus/i2c/devices/*/hwmon/hwmon*", "sys/bus/i2c/devices/*/iio*device*")
CAMERAS = "sys/class/video4linux/"  # whose names are free text
MOST = 1 << 20  # bytes of a file


def record(root: Path = Path("/"), ask: bool = True) -> Dict[str, Any]:
    """Returns the content of a board's files.

    Args:
        root: stands for `/`.
        ask: also run the board's programs, which change nothing.

    Returns:
        Plain data for JSON: `files` (path -> text), `links` (path -> relative target), `read_errors` (path -> name of
        the error), `programs` (paths), `commands` (what they print) and `board` (a short name).
    """
    tree = _Tree(root)
    for pattern in (*READ, *THERE):
        for path in _matching(root, pattern):
            tree.add(path, content=pattern in READ)
    for path in [*_chip_files(root), *_caps(root)]:
        tree.add(path)
    programs = [path for path in PROGRAMS if shutil.which(str(root / path))]
    return {
        "board": board.slug(root), "about": board.model(root), "files": tree.files, "links": tree.links,
        "read_errors": tree.errors, "programs": programs, "commands": _said(root) if ask else {},
    }  # fmt: skip


class _Tree:
    """Files by their real paths, and the links that lead to them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.files: Dict[str, str] = {}
        self.links: Dict[str, str] = {}
        self.errors: Dict[str, str] = {}

    def add(self, path: str, content: bool = True) -> None:
        """Adds a file's text. Of a device or a socket, only that it exists."""
        real = self._follow(path)
        if real is None or real in self.files:
            return
        try:
            mode = (self._root / real).stat().st_mode
            if not stat.S_ISDIR(mode):
                self.files[real] = _text(self._root, path, real) if content and stat.S_ISREG(mode) else ""
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                self.errors[real] = errno.errorcode.get(error.errno or 0, "EIO")

    def _follow(self, path: str) -> Optional[str]:
        """The real path below the root. Notes the links on the way. None if the links form a circle."""
        done: List[str] = []
        rest: Deque[str] = deque(path.split("/"))
        for _ in range(400):
            if not rest:
                return "/".join(done)
            part = rest.popleft()
            here = "/".join([*done, part])
            try:
                target = os.readlink(self._root / here) if part not in ("", ".", "..") else ""
            except OSError:  # no link
                target = ""
            if target:
                rest.extendleft(reversed(target.split("/")))
                relative = os.path.relpath(target, "/" + "/".join(done)) if target.startswith("/") else target
                self.links[here] = relative
            if target.startswith("/"):
                done = []
            elif part == "..":
                done = done[:-1]
            elif not target and part not in ("", "."):
                done.append(part)
        return None


def _matching(root: Path, pattern: str) -> Iterator[str]:
    """Paths below the root. A path without a wildcard is always given, so that its error is recorded."""
    if not re.search(r"[*?\[]", pattern):
        yield pattern
        return
    for path in sorted(root.glob(pattern)):
        yield str(path.relative_to(root))


def _chip_files(root: Path) -> Iterator[str]:
    for pattern in CHIPS:
        for folder in sorted(root.glob(pattern)):
            if board.read_text(folder / "name") in WHOLE:
                yield from (str(path.relative_to(root)) for path in sorted(folder.iterdir()) if not path.is_dir())


def _caps(root: Path) -> Iterator[str]:
    """Every file that a power mode of this board sets, and the file with the steps that it may be set to."""
    try:
        conf = nvpmodel.load_conf(root)
    except BoardError:
        return
    for setting in {setting for mode in conf.modes for setting in mode.settings}:
        for arg in ("", "FREQ_TABLE"):
            path = conf.live(root, setting, arg)
            if path:
                yield str(path.relative_to(root))


def _text(root: Path, path: str, real: str) -> str:
    with (root / real).open("rb") as file:
        text = file.read(MOST).decode("utf-8", "replace") if path != DPKG else _packages(file.read())
    if path == DPKG:
        return text  # versions of packages look like addresses
    if path == CPUINFO:  # only of the first core, because the rest holds a serial number on some boards
        return "".join(f"{line}\n" for line in text.split("\n\n")[0].splitlines() if PROCESSOR.match(line))
    if path == nvpmodel.CONF:  # users write names into comments
        return "".join(f"{line.split('#')[0].rstrip()}\n" for line in text.splitlines() if line.split("#")[0].strip())
    if path == hold.STATE:
        return _left_behind(root, text)
    return private.without_names(text, root) if path.startswith(CAMERAS) else private.without_addresses(text)


def _packages(content: bytes) -> str:
    stanzas = content.decode("utf-8", "replace").split("\n\n")
    lines = (
        "\n".join(line for line in stanza.splitlines() if re.match("(Package|Status|Version): ", line))
        for stanza in stanzas
        if PACKAGES.match(stanza)
    )
    return "".join(f"{text}\n\n" for text in lines)


def _left_behind(root: Path, text: str) -> str:
    """The mode that a killed run left. Empty if a living process holds it."""
    held = hold.mode_held(root)
    return "" if held is None or held.alive else json.dumps({**json.loads(text), "boot": "", "started": ""})


def _said(root: Path) -> Dict[str, str]:
    """What the board's programs print. They change nothing."""
    asked = {"nvpmodel_-q.txt": [NVPMODEL, "-q"], SAID: [TEGRASTATS, "--interval", "200"]}
    found = {name: _first_lines(root, *command) for name, command in asked.items()}
    return {name: private.without_names(text, root) for name, text in found.items() if text}


def _first_lines(root: Path, program: str, *arguments: str) -> str:
    """The first line of tegrastats, which never ends. All lines of another program."""
    path = shutil.which(str(root / program))
    if path is None:
        return ""
    quiet: Any = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = {**os.environ, "LC_ALL": "C", "EDGE_SYSROOT": str(root)}
    command = ["timeout", "5", path, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace", env=env, **quiet
    ) as process:
        assert process.stdout is not None
        text = process.stdout.readline() if program == TEGRASTATS else process.stdout.read(MOST)
        process.terminate()
    return str(text)
