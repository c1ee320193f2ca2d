"""YOLO txt: files as Ultralytics' --save-txt writes them, which our own reader takes; labels of others are safe."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import datasets, sinks
from edge_runtime.errors import SinkError, UsageError
from edge_runtime.sinks import SinkOptions
from edge_runtime.types import Detections
from tests.sinks.results import LABELS, result

OPTIONS = SinkOptions(labels=LABELS)
LINES = ["0 0.34375 0.666667 0.5625 0.5", "1 0.550781 0.333333 0.773438 0.583333"]


@pytest.mark.parametrize("target", ["yolo:{}/labels/", "yolo:{}/labels", "YOLO:{}/labels/"])
def test_a_file_per_picture(tmp_path: Path, target: str) -> None:
    sink = sinks.open(target.format(tmp_path), OPTIONS)
    sink.write(result(0, path="photos/bus.png"))
    sink.write(result(123))
    sink.close()
    folder = tmp_path / "labels"
    assert sorted(path.name for path in folder.iterdir()) == ["000123.txt", "bus.txt", "classes.txt"]
    assert (folder / "bus.txt").read_text(encoding="utf-8").splitlines() == LINES
    assert (folder / "classes.txt").read_text(encoding="utf-8") == "person\ncat\n"


def test_with_confidence(tmp_path: Path) -> None:
    sink = sinks.open(f"yolo-conf:{tmp_path}/", OPTIONS)
    sink.write(result(path="bus.png"))
    sink.close()
    assert (tmp_path / "bus.txt").read_text(encoding="utf-8").splitlines() == [
        f"{LINES[0]} 0.9",
        f"{LINES[1]} 0.123456",
    ]


def test_ids_are_last_and_labels_have_none(tmp_path: Path) -> None:
    tracked = result(path="bus.png")
    tracked.detections.tracker_id = np.array([3, -1], np.int32)
    for target in ("yolo", "yolo-conf"):
        sink = sinks.open(f"{target}:{tmp_path}/{target}/", OPTIONS)
        sink.write(tracked)
        sink.close()
    assert (tmp_path / "yolo/bus.txt").read_text(encoding="utf-8").splitlines() == LINES, (
        "labels for training have five numbers"
    )
    assert (tmp_path / "yolo-conf/bus.txt").read_text(encoding="utf-8").splitlines() == [
        f"{LINES[0]} 0.9 3",
        f"{LINES[1]} 0.123456",
    ]


def test_our_own_reader_reads_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((48, 64, 3), np.uint8))
    sink = sinks.open(f"yolo:{tmp_path}/labels/", OPTIONS)
    sink.write(result(path=str(tmp_path / "images/a.png")))
    empty = result(path=str(tmp_path / "images/b.png"))
    empty.detections = Detections.from_rows(np.empty((0, 6), np.float32), LABELS)
    sink.write(empty)
    sink.close()
    assert (tmp_path / "labels/b.txt").read_text(encoding="utf-8") == "", "nothing was found there, and that is said"
    read = datasets.open(str(tmp_path))
    assert read.labels == LABELS and [len(truth.xyxy) for truth in read.truths] == [2, 0]
    scaled = read.truths[0].xyxy * [64, 48, 64, 48]
    np.testing.assert_allclose(scaled, [[4, 20, 40, 44], [10.5, 2, 60, 30]], atol=1e-3)


def test_labels_that_somebody_drew_are_not_written_over(tmp_path: Path) -> None:
    mine = tmp_path / "bus.txt"
    mine.write_text("0 0.5 0.5 1 1\n", encoding="utf-8")
    with pytest.raises(SinkError, match=r"has text files in it already, bus\.txt") as caught:
        sinks.open(f"yolo:{tmp_path}/", OPTIONS)
    assert "new folder" in str(caught.value.hint) and mine.read_text(encoding="utf-8") == "0 0.5 0.5 1 1\n"
    assert list(tmp_path.iterdir()) == [mine]


def test_other_files_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "bus.jpg").write_text("a picture", encoding="utf-8")
    sinks.open(f"yolo:{tmp_path}/", OPTIONS).close()


def test_the_files_of_two_sources_keep_apart(tmp_path: Path) -> None:
    rates = {"left/clip.mp4": 25.0, "right/clip.mp4": 25.0}
    sink = sinks.open(f"yolo:{tmp_path}/", OPTIONS)
    sinks.begin(sink, rates)
    for source in rates:
        sink.write(result(0, source=source))
    sink.close()
    assert sorted(path.name for path in tmp_path.glob("clip*")) == ["clip-2_000000.txt", "clip_000000.txt"]


def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    sink = sinks.open(f"yolo:{tmp_path}/", OPTIONS)
    with pytest.raises(UsageError, match="is being written by"):
        sinks.open(f"yolo-conf:{tmp_path}", OPTIONS)
    sink.close()
    sinks.open(f"yolo:{tmp_path}/", OPTIONS).close()


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    sink = sinks.open(f"yolo:{tmp_path}/labels/", OPTIONS)
    sink.write(result(0))
    for path in (tmp_path / "labels").iterdir():
        path.unlink()
    (tmp_path / "labels").rmdir()
    with pytest.raises(SinkError, match=r"000001\.txt cannot be written") as caught:
        sink.write(result(1))
    assert caught.value.hint
    sink.close()


def test_without_a_frame_no_folder_is_left(tmp_path: Path) -> None:
    sinks.open(f"yolo:{tmp_path}/labels/", OPTIONS).close()
    assert list(tmp_path.iterdir()) == []


def test_no_folder() -> None:
    with pytest.raises(SinkError, match="names no folder"):
        sinks.open("yolo:")
