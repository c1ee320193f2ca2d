"""What every Dockerfile must have, and what hadolint says about it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docker"
NAMES = ("jetpack5", "jetpack6", "jetpack7", "x86")
BESIDE = str(Path(sys.executable).parent)


def lines(name: str, instruction: str) -> List[str]:
    text = (FOLDER / f"Dockerfile.{name}").read_text().replace("\\\n", " ")
    return re.findall(rf"^{instruction} +(.*)$", text, re.M)


def tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=BESIDE)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install {name}-{'bin' if name == 'hadolint' else 'py'}")
    return found


def test_there_is_no_other():
    assert sorted(p.name for p in FOLDER.glob("Dockerfile.*[!e]")) == [f"Dockerfile.{name}" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_bases_are_pinned_and_stages_build_on_each_other(name):
    stages = [line.split() for line in lines(name, "FROM")]
    named = {words[2] for words in stages if len(words) == 3}
    assert len(stages) > 1 and named and "--from=builder" in lines(name, "COPY")[-1]
    for base in {words[0] for words in stages} - named:
        version = re.search(r":(\w[\w.-]*)$|@sha256:[0-9a-f]{64}$", base)
        assert version and version.group(1) != "latest" and re.search(r"\d+\.\d+", base)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_a_user_and_says_how_it_is(name):
    last = (FOLDER / f"Dockerfile.{name}").read_text().rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.M)[-1] not in ("root", "0")
    (health,) = re.findall(r"^HEALTHCHECK .*CMD (.*)$", last, re.M)
    assert health == '["edge-doctor", "--json"]' and re.search(r'^CMD \["edge-doctor"\]$', last, re.M)


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_board_keeps_its_own_opencv_and_numpy(name):
    text = "".join(lines(name, "RUN"))
    assert "--system-site-packages" in text and "numpy<2" in text
    assert not re.search(r"opencv-python-headless|onnxruntime|\[cpu", text)


def test_all_ignore_the_same_files():
    texts = {(FOLDER / f"Dockerfile.{name}.dockerignore").read_text() for name in NAMES}
    (text,) = texts
    copied = {word for name in NAMES for line in lines(name, "COPY") for word in line.split()[:-1]}
    assert {word for word in copied if not word.startswith(("--from", "/"))} == set(re.findall("^!(.*)$", text, re.M))


@pytest.mark.parametrize("name", NAMES)
def test_hadolint_finds_nothing(name):
    command = [tool("hadolint"), "--no-color", str(FOLDER / f"Dockerfile.{name}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_shellcheck_finds_nothing():
    done = subprocess.run([tool("shellcheck"), str(FOLDER / "run.sh")], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
