"""edge-detect without arguments: in any folder, without a network, and nothing is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.cli import _demo, detect
from edge_runtime.model import shipped
from tests.sources.clips import write_clip


def test_it_finds_something_and_says_what_to_type_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert detect.main([]) == 0
    said = capsys.readouterr()
    assert re.search(r"^astronaut\.jpg: person 0\.\d\d at \[", said.out, re.M)
    assert re.search(r"^chelsea\.jpg: cat 0\.\d\d at \[", said.out, re.M)
    assert said.out.count("\n  edge-detect ") == 3 and not said.err
    assert list(tmp_path.iterdir()) == []


def test_what_it_says_to_type_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "street.mp4", 12)
    monkeypatch.chdir(tmp_path)
    (line,) = [line for line in _demo.NEXT.splitlines() if "street.mp4" in line]
    assert detect.main([*line.split()[1:], "--max-frames", "5"]) == 0
    assert (tmp_path / "found.mp4").stat().st_size > 1000


def test_as_a_command(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(detect.__file__).parents[2])}
    command = [sys.executable, "-m", "edge_runtime.cli.detect"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0 and "What to type next" in done.stdout, done.stderr


def test_a_package_without_its_model_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "nowhere")
    assert detect.main([]) == 1
    assert f"error: no engine '{shipped.INT8}'" in capsys.readouterr().err
