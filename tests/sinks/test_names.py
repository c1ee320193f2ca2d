"""Names of files made of names of sources: no two alike, and nothing in them that a file system refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_runtime.sinks._names import FrameNames, source_names
from tests.sinks.results import result


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("videos/street.mp4", "street"), ("0", "0"), ("/dev/video0", "video0"),
        ("rtsp://10.0.0.2:554/stream 1", "10.0.0.2_554_stream_1"),
        ("photos/", "photos"), ("shots/*.png", "shots_.png"), ("demo", "demo"), ("../..", "source"), ("-rf.mp4", "rf"),
        (".hidden.mp4", "hidden"), ("a\nb\x1b[2J.mp4", "a_b_2J"), ("Grüße.mp4", "Grüße"),
        ("synthetic://640x480@30", "640x480_30"),
        ("csi://0", "0"), ("x" * 300 + ".mp4", "x" * 80),
    ],
)  # fmt: skip
def test_safe_names(source: str, name: str) -> None:
    assert source_names([source]) == {source: name}
    assert not re.search(r"[/\\\x00-\x1f:*?\"<>|]", name)


def test_a_folder_keeps_its_dots(tmp_path: Path) -> None:
    folder = tmp_path / "walk.v2"
    folder.mkdir()
    assert source_names([f"{folder}/"]) == {f"{folder}/": "walk.v2"}


def test_no_two_are_alike() -> None:
    names = source_names(["a/x.mp4", "b/x.mp4", "c/X.mp4", "x-2.mp4", "rtsp://a", "http://a"])
    assert len({name.lower() for name in names.values()}) == 6
    assert list(names.values())[:3] == ["x", "x-2", "X-3"]


def test_pictures_of_one_source() -> None:
    names = FrameNames(["photos/"])
    paths = ["a/x.jpg", "a/x.png", "b/x.jpg", "a/x_2.jpg", "a/x.jpg"]
    assert [names.name(result(path=path).frame) for path in paths] == ["x", "x_2", "x_3", "x_2_2", "x"]
    assert names.name(result(12).frame) == "000012"


def test_pictures_of_several_sources_say_whose_they_are() -> None:
    names = FrameNames(["left/", "right/"])
    assert names.name(result(12, source="right/").frame) == "right_000012"
    assert names.name(result(source="left/", path="left/x.jpg").frame) == "left_x"


def test_pictures_given_one_by_one_keep_their_names() -> None:
    """`edge-detect nano.onnx *.jpg` of a shell."""
    names = FrameNames(["a/bus.jpg", "b/bus.jpg", "photos/"])
    given = [("a/bus.jpg", "a/bus.jpg"), ("b/bus.jpg", "b/bus.jpg"), ("photos/", "photos/bus.jpg")]
    assert [names.name(result(source=source, path=path).frame) for source, path in given] == [
        "bus",
        "bus_2",
        "photos_bus",
    ]


def test_names_of_a_long_run_take_no_memory() -> None:
    names = FrameNames(["a", "b"])
    for number in range(5000):
        names.name(result(number, source="a").frame)
        names.name(result(number, source="b", path=f"b/{number % 10}.jpg").frame)
    assert len(names._owners) == 10
