"""Several sources: an output for each, or a grid; frames of two sources never take turns in one video."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List, Mapping, Optional

import cv2
import numpy as np
import pytest

from edge_runtime import sinks
from edge_runtime.errors import SinkError, UsageError
from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._grid import Grid
from edge_runtime.types import Detections, Frame, Result
from tests.sinks.results import LABELS, result

OPTIONS = SinkOptions(labels=LABELS)
TWO = {"a/left.mp4": 25.0, "rtsp://right": 10.0}
EMPTY = Detections.from_rows(np.empty((0, 6), np.float32), LABELS)


def plain(source: str, level: int, height: int = 48, width: int = 64, at_s: Optional[float] = None) -> Result:
    """A frame of one grey, with nothing on it."""
    at_s = level / 25 if at_s is None else at_s
    return Result(Frame(np.full((height, width, 3), level, np.uint8), source, level, at_s), EMPTY)


def begun(target: object, rates: Mapping[str, float] = TWO) -> sinks.Sink:
    """A sink that knows its sources, as a pipeline opens it."""
    sink = sinks.open(str(target), OPTIONS)
    sinks.begin(sink, rates)
    return sink


def play(path: Path) -> List[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    return [image for _, image in iter(capture.read, (False, None))]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".mp4", ".coco.json", "/"])
def test_each_source_has_its_own(tmp_path: Path, suffix: str) -> None:
    sink = begun(f"{tmp_path}/{{source}}{suffix}")
    for number in range(4):
        for source in TWO:
            sink.write(result(number, source=source))
    sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}{suffix}".rstrip("/") for name in ("left", "right")
    ]
    if suffix == ".jsonl":
        lines = [json.loads(line) for line in (tmp_path / "left.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [(line["source"], line["frame"]) for line in lines] == [("a/left.mp4", n) for n in range(4)]
    if suffix == ".mp4":
        assert [len(play(tmp_path / f"{name}.mp4")) for name in ("left", "right")] == [4, 4]
    if suffix == "/":
        assert sorted(path.name for path in (tmp_path / "left").iterdir()) == [f"{n:06d}.jpg" for n in range(4)]


@pytest.mark.parametrize("target", ["{source}/found.jsonl", "all/{source}/a/found.csv", "yolo:{source}/labels/"])
def test_folders_of_sources_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.chdir(tmp_path)
    sink = begun(target)
    for source in TWO:
        sink.write(result(0, source=source))
    sink.close()
    for name in ("left", "right"):
        assert Path(str(sinks.written_path(target)).replace("{source}", name)).exists()


def test_another_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="No such file"):
        begun(f"{tmp_path}/new/{{source}}.jsonl")


def test_a_source_s_own_rate(tmp_path: Path) -> None:
    sink = begun(f"{tmp_path}/{{source}}.avi")
    for source in TWO:
        for level in (10, 20, 30):
            sink.write(plain(source, level))
    sink.close()
    rates = [cv2.VideoCapture(str(tmp_path / f"{name}.avi")).get(cv2.CAP_PROP_FPS) for name in ("left", "right")]
    assert rates == pytest.approx([25.0, 10.0], rel=1e-3)


def test_one_that_cannot_be_written_closes_the_others(tmp_path: Path) -> None:
    (tmp_path / "right.jsonl").mkdir()
    with pytest.raises(SinkError, match="right"):
        begun(f"{tmp_path}/{{source}}.jsonl")
    sinks.open(f"{tmp_path}/left.jsonl").close()  # is not locked any more


def test_all_are_closed_and_the_first_error_is_said(tmp_path: Path) -> None:
    sink = begun(f"{tmp_path}/{{source}}.coco.json")
    for source in TWO:
        sink.write(result(0, source=source))
    (tmp_path / "left.coco.json").mkdir()
    with pytest.raises(SinkError, match="left"):
        sink.close()
    assert (tmp_path / "right.coco.json").is_file()


def test_where_no_source_is_known(tmp_path: Path) -> None:
    sink = sinks.open(f"{tmp_path}/{{source}}.jsonl")
    with pytest.raises(UsageError, match="no source 'cam' was known"):
        sink.write(result(0))
    sink.close()


def test_a_near_miss_is_said_before_a_camera_is_opened() -> None:
    with pytest.raises(UsageError, match="no output is written as"):
        sinks.open("{source}.mov")


def test_names_stay_in_the_folder_that_was_named(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    rates = {"../../evil.mp4": 30.0, "http://x/../../y": 30.0}
    sink = begun(f"{folder}/{{source}}.jsonl", rates)
    for source in rates:
        sink.write(result(0, source=source))
    sink.close()
    assert len(list(folder.iterdir())) == 2 and list(tmp_path.iterdir()) == [folder]


class Pages:
    """Takes pages and keeps copies."""

    target = "pages"

    def __init__(self) -> None:
        self.images: List[np.ndarray] = []
        self.closed = 0

    def write(self, item: Result) -> None:
        self.images.append(item.frame.image.copy())

    def close(self) -> None:
        self.closed += 1


def grid_of(pages: Pages, sources: List[str]) -> Grid:
    grid = Grid(pages, sinks.begin)
    grid.begin(dict.fromkeys(sources, 30.0))
    return grid


def levels(page: np.ndarray, columns: int = 2, rows: int = 1) -> List[int]:
    """The grey in the middle of each tile."""
    height, width = page.shape[0] // rows, page.shape[1] // columns
    return [int(page[r * height + height // 2, c * width + width // 2, 0]) for r in range(rows) for c in range(columns)]


def test_a_page_holds_the_newest_frame_of_each() -> None:
    pages = Pages()
    grid = grid_of(pages, ["a", "b"])
    for level in (10, 20, 30):
        grid.write(plain("a", level))
        grid.write(plain("b", level + 100))
    grid.close()
    assert [levels(page) for page in pages.images] == [[10, 110], [20, 120], [30, 130]]
    assert {page.shape for page in pages.images} == {(48, 128, 3)} and pages.closed == 1


def test_every_frame_is_on_a_page_whatever_the_rates() -> None:
    pages = Pages()
    grid = grid_of(pages, ["a", "b"])
    for source, level in [("a", 10), ("a", 20), ("b", 110), ("a", 30), ("a", 40), ("b", 120), ("b", 130)]:
        grid.write(plain(source, level))
    grid.close()
    assert [levels(page) for page in pages.images] == [[10, 0], [20, 110], [30, 110], [40, 120], [40, 130]]


@pytest.mark.parametrize(("count", "shape"), [(2, (48, 128)), (3, (96, 128)), (4, (96, 128)), (5, (96, 192))])
def test_as_square_as_it_can_be(count: int, shape: tuple) -> None:
    pages = Pages()
    grid = grid_of(pages, [str(number) for number in range(count)])
    for number in range(count):
        grid.write(plain(str(number), 40 * number + 40))
    grid.close()
    (page,) = pages.images
    rows = shape[0] // 48
    assert page.shape[:2] == shape
    assert levels(page, shape[1] // 64, rows)[:count] == [40 * number + 40 for number in range(count)]


def test_a_page_is_not_wider_than_a_screen() -> None:
    pages = Pages()
    grid = grid_of(pages, ["a", "b"])
    grid.write(plain("a", 50, 1080, 1920))
    grid.write(plain("b", 60, 90, 51))
    grid.close()
    assert pages.images[0].shape == (540, 1920, 3)
    assert levels(pages.images[0]) == [50, 60] and pages.images[0][0, -1, 0] == 0, "fitted in on black"


def test_without_a_frame_there_is_no_page() -> None:
    pages = Pages()
    grid_of(pages, ["a", "b"]).close()
    assert not pages.images and pages.closed == 1


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_two_sources_in_one_video(tmp_path: Path, suffix: str) -> None:
    sink = begun(f"{tmp_path}/out{suffix}")
    for level in range(20, 200, 10):
        sink.write(plain("a/left.mp4", level))
        sink.write(plain("rtsp://right", 250 - level, at_s=level / 25))
    sink.close()
    images = play(tmp_path / f"out{suffix}")
    assert len(images) == 18 and images[0].shape == (48, 128, 3)
    for number, image in enumerate(images):
        assert np.abs(np.subtract(levels(image), [20 + 10 * number, 230 - 10 * number])).max() < 8


@pytest.mark.parametrize("rates", [{"cam": 25.0}, {}])
def test_one_source_alone_is_no_grid(rates: Mapping[str, float]) -> None:
    pages = Pages()
    grid = Grid(pages, sinks.begin)
    if rates:
        grid.begin(rates)
    grid.write(plain("cam", 50))
    assert [image.shape for image in pages.images] == [(48, 64, 3)], "at once, and as it is"
    grid.close()
    assert len(pages.images) == pages.closed == 1


def test_boxes_are_drawn_into_tiles() -> None:
    pages = Pages()
    grid = grid_of(pages, ["cam", "b"])
    grid.write(result(0))
    grid.close()
    assert np.abs(pages.images[0][20:44, 4].astype(int) - 40).max() > 50
