"""edge-detect's outputs by their spelling: what is written, and that no picture or label of the user's is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Dict, List

import cv2
import pytest

from edge_runtime.cli import detect
from edge_runtime.model import shipped
from edge_runtime.sources.demo import PHOTOS
from tests.sources.clips import write_clip


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of two pictures with labels, in the current folder."""
    for folder in ("images", "labels"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    for photo in PHOTOS.glob("*.jpg"):
        shutil.copy(photo, tmp_path / "set/images")
        (tmp_path / "set/labels" / f"{photo.stem}.txt").write_text("0 0.5 0.5 1 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    return detect.main(["--engine", shipped.INT8, "--conf", "0.5", "--warmup", "0", *arguments])


def content(folder: Path) -> Dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> List[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_where_results_went_is_said(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("set/images/chelsea.jpg", "--save", "drawn", "--output", "a.csv") == 0
    assert "results: a.csv, drawn/\n" in capsys.readouterr().err


def test_all_at_once(photos: Path) -> None:
    outputs = ["a.csv", "a.coco.json", "coco:b.json", "yolo:found/", "{source}.jsonl", "{source}/drawn/"]
    assert run("--images", "set/images", *(word for output in outputs for word in ("--output", output))) == 0
    assert '"chelsea.jpg"' in (photos / "a.coco.json").read_text(encoding="utf-8")
    assert (
        "cat" in (photos / "a.csv").read_text(encoding="utf-8")
        and len(json.loads((photos / "b.json").read_text(encoding="utf-8"))["images"]) == 2
    )
    assert names(photos / "found") == ["astronaut.txt", "chelsea.txt", "classes.txt"]
    assert names(photos / "images") == ["drawn/astronaut.jpg", "drawn/chelsea.jpg"]
    assert len((photos / "images.jsonl").read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    "output",
    ["{source}/", "../set/{source}/", "yolo:labels/", "yolo:labels", "yolo-conf:./labels/", "yolo:{source}/../labels/",
     "coco:images/chelsea.jpg"],
)  # fmt: skip
def test_nothing_of_the_user_s_is_written_over(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    monkeypatch.chdir(photos / "set")
    before = content(photos)
    assert run("--images", "images", "--output", output) == 1
    assert content(photos) == before and "hint: " in capsys.readouterr().err


def test_two_outputs_that_are_one_file(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--images", "set/images", "--output", "images.jsonl", "--output", "{source}.jsonl") == 1
    assert "are one file" in capsys.readouterr().err


def test_two_videos_make_a_grid_or_a_file_each(photos: Path) -> None:
    for number in (1, 2):
        write_clip(photos / f"clip{number}.mp4", 12)
    videos = ["--video", "clip1.mp4", "--video", "clip2.mp4", "--max-frames", "12"]
    assert run(*videos, "--output", "both.mp4", "--output", "found_{source}.mp4", "--save", "drawn") == 0
    shapes = {}
    for path in photos.glob("*.mp4"):
        image = cv2.VideoCapture(str(path)).read()[1]
        shapes[path.stem] = image.shape[:2]
    height, width = shapes["clip1"]
    assert shapes["found_clip1"] == shapes["found_clip2"] == (height, width)
    assert shapes["both"] == pytest.approx((height, 2 * width), abs=2) or shapes["both"][1] == 1920
    assert {name[:6] for name in names(photos / "drawn")} == {"clip1_", "clip2_"}


def test_one_video_given_twice_is_two_sources(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(photos / "clip.mp4", 6)
    twice = ["--video", "clip.mp4", "--video", "clip.mp4"]
    assert run(*twice, "--output", "{source}.jsonl", "--output", "grid.mp4", "--save", "drawn", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert set(summary["dropped"]) == {"clip.mp4", "clip.mp4 (2)"} and summary["frames"] == 12
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in photos.glob("*.jsonl")}
    assert lines == {"clip.jsonl": 6, "clip-2.jsonl": 6}
    assert len(names(photos / "drawn")) == 12, "none is written over another"
    height, width = cv2.VideoCapture("grid.mp4").read()[1].shape[:2]
    assert width > 2 * height, "side by side"
