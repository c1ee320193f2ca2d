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
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=100)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """An engine that always finds the middle square, and two pictures, one with such an object."""
    folder = tmp_path_factory.mktemp("work")
    write_onnx(folder / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})
    (folder / "data" / "images").mkdir(parents=True)
    (folder / "data" / "labels").mkdir()
    (folder / "data" / "labels" / "0.txt").write_text("1 0.5 0.5 0.3125 0.3125\n", encoding="utf-8")
    (folder / "data" / "my.names").write_text("a\nb\nc\n", encoding="utf-8")
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
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "voc07_11pt" in page and "data:image/png" in page and "http" not in page, "nothing outside the page"
    for name in ("pr_curves.png", "confusion.png"):
        picture = cv2.imread(str(tmp_path / "report" / name))
        assert picture is not None and picture.std() > 5
    done = run(*base, "--max-images", "1")
    assert done.returncode == 0 and "voc07_11pt" in done.stdout and "only the first 1 of 2 images" in done.stdout


@pytest.mark.parametrize(
    ("output", "fact"),
    [
        (np.full_like(boxes_v8(), np.nan), "not finite (NaN or infinite) on 2 of 2 pictures"),
        (boxes_v8(), "finds nothing in 2 pictures with 1 labelled objects"),
    ],
    ids=["no numbers", "nothing"],
)
def test_what_cannot_be_measured_is_refused(work, tmp_path, output, fact):
    engine = write_onnx(tmp_path / "m.onnx", {"output0": output})
    done = run("--engine", engine, "--data", str(work / "data"), "--json", *FLAGS)
    assert done.returncode == 1 and fact in done.stderr and not done.stdout
    assert "edge-identify" in done.stderr.splitlines()[-1]


def test_accuracy_of_nearly_nothing_has_a_note(tmp_path):
    engine = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})
    for name in ("images", "labels"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for number in range(12):
        (tmp_path / "data" / "labels" / f"{number}.txt").write_text("1 0.2 0.2 0.1 0.1\n", encoding="utf-8")
        cv2.imwrite(str(tmp_path / "data" / "images" / f"{number}.png"), np.full((64, 64, 3), 90, np.uint8))
    done = run("--engine", engine, "--data", str(tmp_path / "data"), *FLAGS)
    assert done.returncode == 0, done.stderr
    assert "almost nothing of what is labelled is found (AP50 0.000)" in done.stdout and "edge-identify" in done.stdout


def test_errors_are_one_line_and_a_way_out(work):
    done = run("--engine", str(work / "tiny.onnx"), "--data", "nowhere", *FLAGS)
    assert done.returncode == 1 and done.stderr.splitlines()[-2].startswith("error: no such data set")
    assert done.stderr.splitlines()[-1].startswith("hint: ")
