"""The device's loop in several threads under ThreadSanitizer, and what it says where the loop does not wait."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Tuple

import pytest

from tests.native import kernels
from tests.standins import driver

FLAGS = ["-std=c++17", "-O1", "-g", "-pthread", "-fsanitize=thread", "-w"]


def build(*arguments: str) -> None:
    built = subprocess.run(["g++", *FLAGS, *arguments], capture_output=True, encoding="utf-8")
    if built.returncode:
        assert "tsan" in built.stderr, built.stderr
        pytest.skip("needs libtsan, which comes with g++")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in."""
    target = tmp_path_factory.mktemp("driver") / "libcuda.so"
    build("-shared", "-fPIC", "-o", str(target), str(driver.SOURCE))
    return target


def raced(folder: Path, library: Path, change: Tuple[str, str, str] = ("", "", "")) -> str:
    """What ThreadSanitizer says of loop_race.cpp, with a line of one source replaced."""
    setarch = ["setarch", "-R"] if shutil.which("setarch") else []  # older sanitizers know few layouts of memory
    files = [*kernels.CSRC.glob("*.h"), kernels.CSRC / "driver.cpp", kernels.CSRC / "slot.cpp"]
    for path in (*files, kernels.HERE / "loop_race.cpp"):
        text, (name, line, instead) = path.read_text(encoding="utf-8"), change
        assert name != path.name or line in text
        (folder / path.name).write_text(text.replace(line, instead) if name == path.name else text, encoding="utf-8")
    program, sources = str(folder / "loop_race"), [folder / f"{name}.cpp" for name in ("loop_race", "driver", "slot")]
    build("-o", program, *map(str, sources), str(library), f"-Wl,-rpath,{library.parent}", "-ldl")
    done = subprocess.run([*setarch, program, str(library)], capture_output=True, encoding="utf-8", timeout=300)
    if "unexpected memory mapping" in done.stderr or "setarch" in done.stderr:
        pytest.skip("ThreadSanitizer does not run here")
    return done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")


def test_no_race(tmp_path: Path, library: Path) -> None:
    said = raced(tmp_path, library)
    assert said == "", said[-3000:]


CHANGES = {  # the source, a line, and what stands there instead
    "its memory is filled while it is read": ("slot.cpp", "  if (running_) wait();\n", ""),
    "lent memory is freed while it is read": (
        "slot.cpp", "  write(layout, addresses, strides, words);\n",
        "  write(layout, addresses, strides, words);\n  place.held.reset();\n",
    ),
    "memory is lent without a lock": (
        "driver.cpp", "  const std::lock_guard<std::mutex> guard(lock_);\n  lent_[", "  lent_[",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_race_would_be_found(tmp_path: Path, library: Path, name: str) -> None:
    assert re.search("data race|heap-use-after-free", raced(tmp_path, library, CHANGES[name]))
