"""What edge-power, edge-doctor and a dry switch say of recorded boards, as tables.

    python tools/board_table.py [FOLDER]     # ../shared/fixtures/jetson, into tools/reference/boards.md

FOLDER holds a JSON file per board. The commands run as a user runs them, with --sysroot.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Optional, Sequence

from bench.report import Table
from bench.trees import lay

from edge_runtime.detect.engines import PLANS
from edge_runtime.jetson import board

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "boards.md"
DASH, REBOOT = "–", "\\*"


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared" / "fixtures" / "jetson")
    parser.add_argument("--output", type=Path, default=TARGET, metavar="FILE.md")
    args = parser.parse_args(argv)
    boards = sorted(args.folder.glob("*.json"))
    tables = [
        Table("Boards", ("tree", "edge-power: board", "chip", "JetPack", "edge-doctor: board", "plans go to")),
        Table("Modes and watts", ("tree", "modes", "now", "idle W", "load W", "of")),
        Table("A dry switch to another mode", ("tree", "edge-power set ... --dry-run", "exit code", "says")),
    ]
    for path in boards:
        with tempfile.TemporaryDirectory() as folder:
            _look(path, Path(folder), tables)
    tables[1].notes.append(
        f"{REBOOT} needs a reboot; idle and load are the two recorded states, {DASH} what a tree does not tell."
    )
    tables[2].notes.append("A board with one mode is asked for that one.")
    text = "# Recorded boards\n\n`python tools/board_table.py`\n\n" + "\n".join(table.markdown() for table in tables)
    args.output.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _look(path: Path, folder: Path, tables: Sequence[Table]) -> None:
    idle, load = lay(path, folder / "idle"), lay(path, folder / "load", load=True)
    power, loaded = (json.loads(_run("power", "--json", "--sysroot", str(root)).stdout) for root in (idle, load))
    checks = json.loads(_run("doctor", "--json", "--sysroot", str(idle)).stdout)["checks"]
    doctor = next(check["detail"] for check in checks if check["name"] == "board")
    about = (power["name"], power["soc"], power["jetpack"], doctor, f"{PLANS}/{board.slug(idle)}-trtVERSION")
    tables[0].rows.append((path.stem, *(text or DASH for text in about)))
    reboot = power.get("reboot", ())
    modes = ", ".join(f"{mode['name']}{REBOOT if mode['id'] in reboot else ''}" for mode in power["modes"])
    watts = [DASH if said["total_w"] is None else f"{said['total_w']:.3f}" for said in (power, loaded)]
    tables[1].rows.append((path.stem, modes or DASH, power["mode"] or DASH, *watts, power["total_rail"]))
    others = [mode["name"] for mode in power["modes"] if mode["name"] != power["mode"]]
    wanted = (others or [power["mode"] or "15W"])[0]
    said = _run("power", "--sysroot", str(idle), "set", wanted, "--dry-run")
    lines = "; ".join(" ".join(line.split()) for line in (said.stdout or said.stderr).splitlines())
    tables[2].rows.append((path.stem, wanted, str(said.returncode), lines))


def _run(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"edge_runtime.cli.{command}", *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
