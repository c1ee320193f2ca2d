"""What is packed: an sdist builds on every machine, whichever made it, and the model comes along."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Set

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = "pyproject.toml setup.py MANIFEST.in README.md LICENSE edge_runtime engines"
MODEL = "engines/yolo_nano_voc_int8.onnx"
SETUP = """
import platform, runpy, sys
platform.machine = lambda: {!r}
sys.argv[0] = "setup.py"
runpy.run_path("setup.py")
"""

pytest.importorskip("pybind11", reason="needs pybind11: pip install '.[dev]'")


def setup(folder: Path, machine: str, *command: str) -> None:
    """Runs setup.py as on a machine of that kind."""
    words = [sys.executable, "-W", "ignore", "-c", SETUP.format(machine), "-q", *command]
    done = subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy without git, so that setuptools sees what a folder of files says, and nothing is left in this one."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for part in PARTS.split():
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        elif (ROOT / part).is_file():
            shutil.copy(ROOT / part, folder / part)
    return folder


def sources(folder: Path) -> Set[str]:
    return {path.name for path in (folder / "edge_runtime/native/csrc").iterdir()}


def entries(folder: Path) -> Set[str]:
    """What edge-zoo offers."""
    return {path.name for path in (folder / "edge_runtime/downloads/entries").iterdir()}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_an_sdist_has_the_sources_of_all_machines_and_the_model(checkout: Path, tmp_path: Path, machine: str) -> None:
    setup(checkout, machine, "sdist", "-d", str(tmp_path / "dist"))
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert sources(unpacked) == sources(checkout) and "letterbox_neon.cpp" in sources(unpacked)
    setup(unpacked, machine, "build_py", "-d", str(tmp_path / "lib"))
    assert (tmp_path / "lib/edge_runtime" / MODEL).read_bytes() == (ROOT / MODEL).read_bytes()
    assert entries(tmp_path / "lib") == entries(checkout) and "yolox_nano.toml" in entries(checkout)


def test_a_checkout_without_the_model_is_not_packed_without_a_word(checkout: Path, tmp_path: Path) -> None:
    (checkout / MODEL).unlink()
    with pytest.raises(AssertionError, match=MODEL):
        setup(checkout, "x86_64", "build_py", "-d", str(tmp_path / "lib"))


def test_every_extra_that_a_hint_names_is_declared() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = set(re.findall(r"^(\w+) = \[", text.split("[project.optional-dependencies]")[1].split("\n[")[0], re.M))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "edge_runtime").rglob("*.py"))
    named = set(re.findall(r'install_hint\("(\w+)"\)', code))
    assert named and named <= declared
