"""Annotated images: names, content, and a disk that fills up."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Iterator

import cv2
import numpy as np
import pytest

from edge_runtime import sinks
from edge_runtime.errors import SinkError, UsageError
from tests.sinks.results import result, small_disk


def names(folder: Path) -> list:
    return sorted(path.name for path in folder.iterdir())


def test_named_after_the_image_or_numbered(tmp_path: Path) -> None:
    sink = sinks.open(f"{tmp_path}/new/folder/")
    sink.write(result(0, path="photos/bus.png"))
    sink.write(result(123))
    assert names(tmp_path / "new" / "folder") == ["000123.jpg", "bus.jpg"]


def test_nothing_is_overwritten_within_a_run(tmp_path: Path) -> None:
    sink = sinks.open(f"{tmp_path}/")
    for path in ("a/x.jpg", "a/x.png", "b/x.jpg", "a/x_2.jpg"):
        sink.write(result(path=path))
    assert names(tmp_path) == ["x.jpg", "x_2.jpg", "x_2_2.jpg", "x_3.jpg"]


def test_with_several_sources_a_name_says_whose_it_is(tmp_path: Path) -> None:
    sink = sinks.open(f"{tmp_path}/")
    sinks.begin(sink, {"rtsp://left/1": 30.0, "a/right.mp4": 25.0})
    for source in ("a/right.mp4", "rtsp://left/1"):
        for index in (0, 12):
            sink.write(result(index, source=source))
    assert names(tmp_path) == ["left_1_000000.jpg", "left_1_000012.jpg", "right_000000.jpg", "right_000012.jpg"]


def test_sources_that_nobody_has_told_of_are_kept_apart(tmp_path: Path) -> None:
    sink = sinks.open(f"{tmp_path}/")
    for index in (0, 1):
        for source in ("left", "right", "a/right.mp4"):
            sink.write(result(index, source=source))
    left, right = ["000000.jpg", "000001.jpg"], ["right_000000.jpg", "right_000001.jpg"]
    assert names(tmp_path) == sorted([*left, *right, "right-2_000000.jpg", "right-2_000001.jpg"])


def test_frames_and_files_that_come_again_cost_no_memory(tmp_path: Path) -> None:
    """An hour with `--loop`: names are neither kept nor numbered."""
    sink = sinks.open(f"{tmp_path}/")
    for index in range(40):
        sink.write(result(index, 8, 8, path=f"photos/{index % 4}.png"))
        sink.write(result(index, 8, 8))
    assert len(names(tmp_path)) == 44
    kept = [value for value in vars(sink._names).values() if isinstance(value, (dict, list, set))]
    assert max(map(len, kept)) <= 4


def test_without_a_frame_no_folder_is_made(tmp_path: Path) -> None:
    sinks.open(f"{tmp_path}/new/folder/").close()
    assert names(tmp_path) == []


def test_a_folder_that_is_removed(tmp_path: Path) -> None:
    sink = sinks.open(f"{tmp_path}/out/")
    sink.write(result(0))
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(SinkError, match=r"000001\.jpg cannot be written: No such file") as caught:
        sink.write(result(1))
    assert caught.value.hint == "leave the folder in place while it runs"
    sink.close()


def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = sinks.open(f"{tmp_path}/")
    with pytest.raises(UsageError, match="being written"):
        sinks.open(f"{tmp_path}/")
    first.close()
    sinks.open(f"{tmp_path}/").close()


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    for level in (0, 60):
        sink = sinks.open(f"{tmp_path}/")
        sink.write(result(level, path="x.jpg"))
        sink.close()
    assert names(tmp_path) == ["x.jpg"]
    assert abs(int(cv2.imread(str(tmp_path / "x.jpg"))[47, 63, 0]) - 100) < 5


def test_boxes_are_drawn(tmp_path: Path) -> None:
    sink = sinks.open(f"{tmp_path}/")
    sink.write(result(0))
    image = cv2.imread(str(tmp_path / "000000.jpg")).astype(int)
    assert image.shape == (48, 64, 3)
    assert np.abs(image[20:44, 4] - 40).max() > 50


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    yield from small_disk(tmp_path / "disk", "256k")


def test_a_full_disk_leaves_whole_images(disk: Path) -> None:
    sink = sinks.open(f"{disk}/")
    written = 0
    with pytest.raises(SinkError, match="No space left"):
        for i in range(100):
            sink.write(result(i, 120, 160, noise=True))
            written += 1
    assert len(names(disk)) == written > 3, "half an image is left, or one is missing"
    for path in disk.iterdir():
        assert path.read_bytes().endswith(b"\xff\xd9")


def test_a_file_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(SinkError, match="cannot be made a folder"):
        sinks.open(f"{tmp_path}/out/")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"
