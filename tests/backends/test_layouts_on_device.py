"""The layouts of exporters over the stand-ins: edge-build, the passport, and the kernels on the host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import layouts

pytest.importorskip("onnxruntime")
PIXELS = {"yolonas_batch_uint8": "uint8", "yolov8_uint8_in": "uint8", "tfod_ssd": "channels last"}


@pytest.fixture(scope="module")
def expected(shared: Path) -> Dict[str, str]:
    lines = (shared / "layouts" / "expected.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {line.split("\t")[0]: line.split("\t")[2] for line in lines}


@pytest.fixture(scope="module")
def made(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    command = [sys.executable, str(shared / "layouts" / "make_layouts.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


def verdicts(expected: Dict[str, str], made: Path, backend: str) -> Dict[str, tuple]:
    return {name: layouts.judged(made / f"{name}.onnx", right, backend) for name, right in expected.items()}


def test_plans_of_edge_build(expected: Dict[str, str], made: Path) -> None:
    found = verdicts(expected, made, "standin")
    assert {name for name, row in found.items() if row[0] != "RIGHT"} == set()


def test_plans_without_a_passport(expected: Dict[str, str], made: Path) -> None:
    found = verdicts(expected, made, "standin-trtexec")
    assert {name for name, row in found.items() if row[0] != "RIGHT"} == set(PIXELS)
    assert all(found[name][0] == "refused" and said in found[name][2] for name, said in PIXELS.items())
