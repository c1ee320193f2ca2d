"""edge-eval as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.tiny import boxes_v8, write_onnx

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_runtime.cli.eval", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """An engine that always finds the middle square, and two pictures, one with such an object."""
    folder = tmp_path_factory.mktemp("work")
    write_onnx(folder / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})
    (folder / "data" / "images").mkdir(parents=True)
    (folder / "data" / "labels").mkdir()
    (folder / "data" / "labels" / "0.txt").write_text("1 0.5 0.5 0.3125 0.3125\n")
    (folder / "data" / "my.names").write_text("a\nb\nc\n")
    for number in range(2):
        cv2.imwrite(str(folder / "data" / "images" / f"{number}.png"), np.full((64, 64, 3), 90, np.uint8))
    return folder


def test_json_table_and_report(work, tmp_path):
    base = ["--engine", str(work / "tiny.onnx"), "--data", str(work / "data"), *FLAGS]
    done = run(*base, "--json", "--report", str(tmp_path / "report"))
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["voc07_11pt"] == figures["voc_allpoint"] == 1.0, "the wrong box is as sure, but comes second"
    assert figures["coco_101"]["AP"] == pytest.approx(1.0) and figures["images"] == 2 and figures["conf"] == 0.005
    page = (tmp_path / "report" / "index.html").read_text()
    assert "voc07_11pt" in page and "data:image/png" in page and "http" not in page, "nothing outside the page"
    for name in ("pr_curves.png", "confusion.png"):
        picture = cv2.imread(str(tmp_path / "report" / name))
        assert picture is not None and picture.std() > 5
    done = run(*base, "--max-images", "1")
    assert done.returncode == 0 and "voc07_11pt" in done.stdout and "only the first 1 of 2 images" in done.stdout


def test_errors_are_one_line_and_a_way_out(work):
    done = run("--engine", str(work / "tiny.onnx"), "--data", "nowhere", *FLAGS)
    assert done.returncode == 1 and done.stderr.splitlines()[-2].startswith("error: no such data set")
    assert done.stderr.splitlines()[-1].startswith("hint: ")
