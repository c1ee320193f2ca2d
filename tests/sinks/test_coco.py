"""COCO JSON: what pycocotools and our own reader make of it, and what is left of a run that did not end well."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import cv2
import numpy as np
import pytest

from edge_runtime import datasets, sinks
from edge_runtime.errors import SinkError, UsageError
from edge_runtime.sinks import SinkOptions
from tests.sinks.results import LABELS, result

OPTIONS = SinkOptions(labels=LABELS)


def content(path: Path) -> Dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("target", ["out.coco.json", "coco:out.json", "COCO:found", "OUT.COCO.JSON"])
def test_every_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.chdir(tmp_path)
    sink = sinks.open(target, OPTIONS)
    sink.write(result(3, path="a/x.jpg"))
    sink.close()
    (path,) = tmp_path.iterdir()
    assert path.name == target.rpartition(":")[2]
    found = content(path)
    assert found["images"] == [{"id": 1, "file_name": "x.jpg", "width": 64, "height": 48}]
    assert found["categories"] == [{"id": 1, "name": "person"}, {"id": 2, "name": "cat"}]
    first, second = found["annotations"]
    assert first == {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [4.0, 20.0, 36.0, 24.0], "segmentation": [], "area": 864.0,
        "iscrowd": 0, "score": 0.9,
    }  # fmt: skip
    assert (second["id"], second["category_id"]) == (2, 2)


def test_ids_of_objects(tmp_path: Path) -> None:
    sink, tracked = sinks.open(str(tmp_path / "out.coco.json"), OPTIONS), result(3)
    tracked.detections.tracker_id = np.array([7, -1], np.int32)
    sink.write(tracked)
    sink.close()
    first, second = content(tmp_path / "out.coco.json")["annotations"]
    assert first["track_id"] == 7 and "track_id" not in second


def test_pycocotools_reads_it(tmp_path: Path) -> None:
    reader = pytest.importorskip("pycocotools.coco")
    sink = sinks.open(str(tmp_path / "out.coco.json"), OPTIONS)
    for number in range(5):
        sink.write(result(number))
    sink.close()
    coco = reader.COCO(str(tmp_path / "out.coco.json"))
    assert len(coco.getImgIds()) == 5 and len(coco.getAnnIds(imgIds=[2])) == 2
    assert coco.getCatIds(catNms=["cat"]) == [2]
    results = coco.loadRes(
        [{k: a[k] for k in ("image_id", "category_id", "bbox", "score")} for a in coco.anns.values()]
    )
    assert len(results.getAnnIds()) == 10


def test_our_own_reader_reads_it(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((48, 64, 3), np.uint8))
    sink = sinks.open(str(tmp_path / "out.coco.json"), OPTIONS)
    for number, name in enumerate(("a.png", "b.png")):
        sink.write(result(number, path=str(tmp_path / name)))
    sink.close()
    read = datasets.open(str(tmp_path / "out.coco.json"))
    assert [Path(image).name for image in read.paths] == ["a.png", "b.png"] and read.labels == LABELS
    np.testing.assert_allclose(read.truths[1].xyxy, [[4, 20, 40, 44], [10.5, 2, 60, 30]])


def test_names_say_the_folder_only_where_there_are_several(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.coco.json"), OPTIONS)
    for path in ("photos/left/x.jpg", "photos/right/x.jpg"):
        sink.write(result(path=path))
    sink.close()
    assert [image["file_name"] for image in content(tmp_path / "out.coco.json")["images"]] == [
        "left/x.jpg",
        "right/x.jpg",
    ]


def test_frames_of_several_videos_have_names_of_their_own(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.coco.json"), OPTIONS)
    sinks.begin(sink, {"a.mp4": 30.0, "b.mp4": 30.0})
    for source in ("a.mp4", "b.mp4"):
        sink.write(result(7, source=source))
    sink.close()
    images = content(tmp_path / "out.coco.json")["images"]
    assert [image["file_name"] for image in images] == ["a_000007.jpg", "b_000007.jpg"]


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    sink = sinks.open(f"{folder}/out.coco.json", OPTIONS)
    sink.write(result())
    shutil.rmtree(folder)
    with pytest.raises(SinkError, match="was removed while it was written"):
        sink.close()
    folder.mkdir()
    sinks.open(f"{folder}/out.coco.json", OPTIONS).close()  # its lock is free again


def test_a_class_without_a_name_has_a_category(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.coco.json"))
    item = result()
    item.detections.labels = ()
    sink.write(item)
    sink.close()
    assert content(tmp_path / "out.coco.json")["categories"] == [{"id": 1, "name": "0"}, {"id": 2, "name": "1"}]


def test_an_earlier_file_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.coco.json"
    path.write_text("earlier", encoding="utf-8")
    sinks.open(str(path), OPTIONS).close()
    assert path.read_text(encoding="utf-8") == "earlier" and list(tmp_path.iterdir()) == [path], "a run without a frame"
    sink = sinks.open(str(path), OPTIONS)
    sink.write(result())
    assert path.read_text(encoding="utf-8") == "earlier"
    sink.close()
    assert len(content(path)["annotations"]) == 2 and list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from itertools import count
from tests.sinks.results import result
from edge_runtime import sinks
sink = sinks.open(sys.argv[1])
for i in count():
    sink.write(result(i))
    i == 50 and print(flush=True)
"""


def test_a_kill_leaves_what_was_found_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.coco.json"
    path.write_text("earlier", encoding="utf-8")
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    part = tmp_path / "out.coco.json.part.jsonl"
    frames = [json.loads(line)["frame"] for line in part.read_text(encoding="utf-8").splitlines()]
    assert len(frames) > 50 and frames == list(range(len(frames)))
    assert path.read_text(encoding="utf-8") == "earlier"
    again = sinks.open(str(path), OPTIONS)
    again.write(result(7))
    again.close()
    assert len(content(path)["images"]) == 1 and not part.exists(), "the next run begins anew"


def test_a_file_that_cannot_be_finished_leaves_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.coco.json"
    sink = sinks.open(str(path), OPTIONS)
    sink.write(result())
    path.mkdir()
    with pytest.raises(SinkError, match="cannot be written") as caught:
        sink.close()
    assert "out.coco.json.part.jsonl" in str(caught.value.hint)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.coco.json", "out.coco.json.part.jsonl"]


def test_two_runs_on_one_file(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.coco.json"), OPTIONS)
    with pytest.raises(UsageError, match="is being written by"):
        sinks.open(f"coco:{tmp_path}/out.coco.json", OPTIONS)
    sink.close()
    sinks.open(str(tmp_path / "out.coco.json"), OPTIONS).close()


@pytest.mark.parametrize("target", ["coco:", "coco:folder/"])
def test_no_file(target: str) -> None:
    with pytest.raises(SinkError, match="cannot be written") as caught:
        sinks.open(target)
    assert "out.coco.json" in str(caught.value.hint)
