"""Every sink: takes results, leaves the image alone, closes twice, and says why it cannot be opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from edge_runtime import plugins, sinks
from edge_runtime.errors import BackendUnavailable, SinkError
from edge_runtime.sinks import Sink
from tests.sinks.brokers import free_port
from tests.sinks.results import result

TARGETS = {
    "jsonl": "out.jsonl", "csv": "out.csv", "coco": "out.coco.json", "yolo_txt": "labels/", "video": "out.mp4",
    "images": "out/", "window": "window", "http": "http://127.0.0.1:0",
    "rtsp": f"rtsp://127.0.0.1:{free_port()}",
}  # fmt: skip
PLACELESS = ("window", "http", "rtsp")  # they write no file
LIBRARIES = {"http": "h11"}
SCHEMES = {"yolo_txt": "yolo:"}


def target(name: str, tmp_path: Path) -> str:
    assert name in TARGETS, "a new sink needs a target here"
    return TARGETS[name] if name in PLACELESS else f"{SCHEMES.get(name, '')}{tmp_path}/{TARGETS[name]}"


OF_FRAMES = [name for name in plugins.names("sinks") if hasattr(plugins.load_member("sinks", name), "open")]


@pytest.fixture(params=OF_FRAMES)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    if request.param in LIBRARIES:
        pytest.importorskip(LIBRARIES[request.param])
    try:
        opened = sinks.open(target(request.param, tmp_path))
    except (BackendUnavailable, SinkError) as error:
        if request.param not in ("window", "rtsp"):
            raise
        pytest.skip(str(error))
    yield opened
    opened.close()


def test_remembers_its_target(sink: Sink) -> None:
    assert sink.target.endswith(tuple(TARGETS.values()))


def test_leaves_image_and_boxes_as_they_are(sink: Sink) -> None:
    given, same = result(3), result(3)
    given.frame.image.flags.writeable = False
    sink.write(given)
    np.testing.assert_array_equal(given.frame.image, same.frame.image)
    np.testing.assert_array_equal(given.detections.xyxy, same.detections.xyxy)


def test_takes_frames_of_changing_size_and_without_boxes(sink: Sink) -> None:
    for height, width in ((48, 64), (64, 48), (1, 1), (300, 10)):
        item = result(0, height, width)
        sink.write(item)
        item.detections.xyxy, item.detections.confidence = item.detections.xyxy[:0], item.detections.confidence[:0]
        item.detections.class_id = item.detections.class_id[:0]
        sink.write(item)


TEXTS = ["$\\frac{a$", "[/b]", "[red]x[/]", "a\nb", "a\0b", "\udcff", "\x1b[31m", "=1+1", '"', "%s {}", "", "x" * 2000]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_data(sink: Sink, text: str) -> None:
    """Of labels and sources, whatever it would mean to a terminal, a formula or a format."""
    item = result(source=text)
    item.detections.labels = (text, text)
    sink.write(item)
    sink.close()


def test_close_may_be_repeated_and_comes_without_a_frame(sink: Sink) -> None:
    sink.close()
    sink.close()


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in PLACELESS])
def test_a_place_that_cannot_be_written_is_said_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(SinkError, match="cannot be") as caught:
        sinks.open(target(name, tmp_path / "file"))
    assert caught.value.hint
    assert (tmp_path / "file").read_text(encoding="utf-8") == "not a folder"


@pytest.mark.parametrize("name", ["jsonl", "csv", "coco", "video"])
def test_a_folder_of_that_name(name: str, tmp_path: Path) -> None:
    Path(target(name, tmp_path)).mkdir()
    with pytest.raises(SinkError, match="directory"):
        sinks.open(target(name, tmp_path))


def test_importing_the_members_loads_no_opencv() -> None:
    code = "import sys\nfrom edge_runtime import plugins\nfor f in ('sinks', 'sources'): plugins.members(f)\n"
    subprocess.run([sys.executable, "-c", f"{code}assert 'cv2' not in sys.modules"], check=True)
