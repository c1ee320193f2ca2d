"""A board's `nvpmodel` and `jetson_clocks`, as executables in its tree: they keep state and write as the real ones do.

They misbehave in one of the ways seen on boards, by a word in the tree's file `misbehave`. Whoever answers YES to the
prompt for a reboot leaves the file `rebooted`; no test may.
"""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import List

NVPMODEL = """
import os, re, sys, time
from pathlib import Path
from edge_runtime.jetson import nvpmodel
from edge_runtime.jetson.nvpmodel import UNCAPPED

root = Path(os.environ["EDGE_SYSROOT"])
conf, status = nvpmodel.load_conf(root), root / nvpmodel.STATUS
misbehave = (root / "misbehave").read_text().split() if (root / "misbehave").exists() else []
with (root / "calls").open("a") as log:
    print(*sys.argv[1:], file=log)
if "hang" in misbehave:
    os.fork()  # a child that keeps the pipe open
    time.sleep(60)
before = nvpmodel.current(root, conf)
if sys.argv[1] == "-q":
    print(f"NVPM WARN: fan mode is not set!\\nNV Power Mode: {before.name}\\n{before.id}")
    if "unprivileged" in misbehave:
        print("NVPM ERROR: Error opening /sys/kernel/nvpmodel_emc_cap/emc_iso_cap: 13")
    sys.exit(0)
mode = conf.mode(int(sys.argv[2]))
if "boot" in misbehave:
    print("NVPM ERROR: failed to set power mode!")
    sys.exit(234)
if "eacces" in misbehave:
    print("NVPM ERROR: Error opening /sys/kernel/nvpmodel_emc_cap/emc_iso_cap: 13\\nNVPM ERROR: failed to write")
    sys.exit(0 if "zero" in misbehave else 255)
if "chroot" in misbehave:
    print("Running in chroot, ignoring request.\\nNVPM WARN: Golden image context is already created")
    status.write_text(f"pmode:{mode.id:04d}\\n")
    sys.exit(0)
masks = [row for row in mode.settings if "PG_MASK" in row.arg and conf.live(root, row)]
if "reboot" in misbehave or any(conf.live(root, row).read_text().strip() != row.value for row in masks):
    print("NVPM WARN: Golden image context is already created")
    print(f"NVPM WARN: Reboot required for changing to this power mode: {mode.id}")
    print("NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:", flush=True)
    answer = sys.stdin.readline()
    if "--force" in sys.argv or answer.strip().lower() == "yes":
        (root / "rebooted").write_text(answer)
    if not answer:
        print("NVPM ERROR: bad input!")
    print("NVPM ERROR: optMask is 1, no request for power mode")
    sys.exit(int("code" in misbehave))
if "stale" not in misbehave:
    for row in mode.settings:
        path = conf.live(root, row)
        if path is None or row.arg in ("WARN", "CRIT"):
            continue
        value, table = row.value, conf.live(root, row, "FREQ_TABLE") if row.arg.endswith("_FREQ") else None
        steps = sorted(int(word) for word in table.read_text().split()) if table else []
        if value in UNCAPPED:
            value = str(steps[-1]) if steps else path.read_text().strip()
        elif steps and row.arg == "MAX_FREQ":
            value = str(min(steps, key=lambda step: abs(step - int(value))))
        if not ("half" in misbehave and row.name == "GPU MAX_FREQ"):
            path.write_text(f"{value}\\n")
    online = [row for row in mode.settings if row.param == "CPU_ONLINE" and row.value == "1"]
    (root / "sys/devices/system/cpu/online").write_text(f"0-{len(online) - 1}\\n")
if "forget" not in misbehave:
    status.write_text(f"pmode:{mode.id:04d}\\n")
print("NVPM WARN: Golden image context is already created")
"""

CLOCKS = """
import os, sys
from pathlib import Path
from edge_runtime.jetson.probe import GPU_CLOCK

root = Path(os.environ["EDGE_SYSROOT"])
with (root / "calls").open("a") as log:
    print("clocks", *sys.argv[1:2], file=log)
gpu = next(entry for entry in (root / "sys/class/devfreq").iterdir() if GPU_CLOCK.fullmatch(entry.name))
if sys.argv[1:2] == ["--store"]:
    if Path(sys.argv[2]).exists():
        print("File already exists"); sys.exit(1)
    Path(sys.argv[2]).write_text((gpu / "min_freq").read_text())
elif sys.argv[1:2] == ["--restore"]:
    (gpu / "min_freq").write_text(Path(sys.argv[2]).read_text())
elif not (root / "misbehave").exists():
    (gpu / "min_freq").write_text((gpu / "max_freq").read_text())
"""


def install(root: Path, misbehave: str = "") -> None:
    """Puts both programs into a board's tree."""
    for path, source in (("usr/sbin/nvpmodel", NVPMODEL), ("usr/bin/jetson_clocks", CLOCKS)):
        program = root / path
        program.parent.mkdir(parents=True, exist_ok=True)
        here = json.dumps(str(Path(__file__).resolve().parents[2]))
        program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {here})\n{source}", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    if misbehave:
        (root / "misbehave").write_text(misbehave, encoding="utf-8")


def calls(root: Path) -> List[str]:
    """What the programs were called with, in order."""
    log = root / "calls"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []
