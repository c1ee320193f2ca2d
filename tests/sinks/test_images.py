"""Annotated images: names, content, and a disk that fills up."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import cv2
import numpy as np
import pytest

from edge_runtime import sinks
from edge_runtime.errors import SinkError
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
    for source in ("left", "right"):
        sink.write(result(0, source=source))
        sink.write(result(1, source=source))
    for path in ("a/x.jpg", "a/x.png", "b/x.jpg", "a/x_2.jpg"):
        sink.write(result(path=path))
    found = names(tmp_path)
    assert len(found) == 8
    assert found[:4] == ["000000.jpg", "000000_2.jpg", "000001.jpg", "000001_2.jpg"]


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    for level in (0, 60):
        sink = sinks.open(f"{tmp_path}/")
        sink.write(result(level, path="x.jpg"))
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
    assert len(names(disk)) == written > 3
    for path in disk.iterdir():
        assert path.read_bytes().endswith(b"\xff\xd9")


def test_a_file_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SinkError, match="cannot be made a folder"):
        sinks.open(f"{tmp_path}/out/")
    assert (tmp_path / "out").read_text() == "mine"
