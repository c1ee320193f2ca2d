"""The kernel whose threads meet, with threads of the host under ThreadSanitizer: a missing barrier is a race."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Sequence, Tuple

import pytest

from tests.native import kernels


def raced(folder: Path, changed: Dict[str, str], scenes: Sequence[Tuple[int, str]]) -> str:
    """What ThreadSanitizer says of race.cpp with so many candidates, and with some headers changed."""
    setarch = ["setarch", "-R"] if shutil.which("setarch") else []  # older sanitizers know few layouts of memory
    sources = [path for end in ("*.cpp", "*.h", "*.cu") for path in (*kernels.HERE.glob(end), *kernels.CSRC.glob(end))]
    for path in sources:
        (folder / path.name).write_text(changed.get(path.name, path.read_text(encoding="utf-8")), encoding="utf-8")
    flags = ["-std=c++17", "-O1", "-g", "-pthread", "-fsanitize=thread", "-ffp-contract=off", "-w"]
    built = subprocess.run(
        ["g++", *flags, "-o", str(folder / "race"), str(folder / "race.cpp")], capture_output=True, encoding="utf-8"
    )
    if built.returncode:
        pytest.skip("needs libtsan, which comes with g++")
    said = ""
    for count, kind in scenes:
        command = [*setarch, str(folder / "race"), str(count), kind]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
        if "unexpected memory mapping" in done.stderr or "setarch" in done.stderr:
            pytest.skip("ThreadSanitizer does not run here")
        said += done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")
        if said:
            break
    return said


SCENES = ((300, "spread"), (3000, "spread"), (3000, "equal"), (31000, "spread"), (6000, "crowded"))
BARRIERS = {  # the header, the lines behind which threads must meet, and where a race would be seen without that
    "tile": ("tile.h", "tile.class_id[place] = s.class_of(key);\n  }\n", (300, "spread")),
    "decided": ("tile.h", "tile.kept[word] = decide(tile.masks + block_of(word, word), ~gone, room);\n",
                (300, "spread")),
    "bins": ("select.h", "    clear(bins);\n", (3000, "equal")),
    "group": ("select.h", "cross(bins.group, kBins / kGroup, room, &group);\n", (3000, "equal")),
    "shown": ("suppress.h", "tile.shown[(turn + 1) % 3][threadIdx.x] = 0;\n", (300, "spread")),
    "crowded": ("suppress.h", "most = kTile, crowded = true;\n      __syncthreads();\n      reset(tile);\n",
                (6000, "crowded")),
}  # fmt: skip


def test_no_barrier_is_missing(tmp_path):
    said = raced(tmp_path, {}, SCENES)
    assert said == "", said[-2000:]


@pytest.mark.parametrize("name", BARRIERS)
def test_a_missing_barrier_would_be_found(tmp_path, name):
    header, line, scene = BARRIERS[name]
    before, found, behind = (kernels.CSRC / header).read_text(encoding="utf-8").partition(line)
    barrier = re.match(r"\s*__sync(threads|warp)\(\);", behind)
    assert found and barrier, "the barrier stands behind the line"
    assert "data race" in raced(tmp_path, {header: before + line + behind[barrier.end() :]}, [scene] * 10), (
        "a race is not seen every time"
    )
