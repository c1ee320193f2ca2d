"""What other programs write is read, by the names of its pictures, or refused with the way out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.audit.recorded import Recorded, is_recorded
from edge_runtime.errors import ModelError

BOX = {"class_id": 2, "label": "c", "confidence": 0.5, "box": [1, 2, 3, 4]}
SURE = {**BOX, "confidence": 0.75}


def test_arrays_of_pictures(tmp_path: Path) -> None:
    path = tmp_path / "theirs.npz"
    boxes = np.array([(1, 2, 3, 4, 0.5, 2), (1, 2, 3, 4, 0.75, 2)])
    np.savez(path, **{"a/bus.jpg/out": np.ones((1, 2)), "a/bus.jpg/input": np.ones(3), "a/bus.jpg/boxes": boxes})
    record = Recorded(str(path)).of("elsewhere/bus.jpg")
    assert record is not None and list(record.outputs) == ["out"] and record.input is not None
    assert record.boxes is not None and record.boxes[:, 4].tolist() == [0.75, 0.5], "the best first"
    assert Recorded(str(path)).of("dog.jpg") is None


def test_a_folder_has_a_file_for_each_picture(tmp_path: Path) -> None:
    np.savez(tmp_path / "bus.npz", out=np.ones(2))
    np.savez(tmp_path / "dog.jpg.npz", out=np.zeros(2))
    recorded = Recorded(str(tmp_path))
    found = [recorded.of(name) for name in ("x/bus.png", "dog.jpg")]
    assert is_recorded(str(tmp_path)) and recorded.kind == "outputs"
    assert [record and record.outputs["out"].tolist() for record in found] == [[1, 1], [0, 0]]


def test_lines_of_edge_detect(tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    lines = [{"source": "p", "path": "p/bus.jpg", "detections": [BOX, SURE]}, {"source": "p/dog.jpg", "detections": []}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    bus, dog = (Recorded(str(path)).of(name) for name in ("bus.jpg", "q/dog.jpg"))
    assert (
        bus is not None
        and bus.boxes is not None
        and bus.boxes.tolist() == [[1, 2, 3, 4, 0.75, 2], [1, 2, 3, 4, 0.5, 2]]
    )
    assert dog is not None and dog.boxes is not None and dog.boxes.shape == (0, 6)


def test_results_and_listings_of_coco(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    note = {"image_id": 139, "category_id": 7, "bbox": [1, 2, 10, 20], "score": 0.5}
    path.write_text(json.dumps([note]), encoding="utf-8")
    assert Recorded(str(path)).only_found
    record = Recorded(str(path)).of("val/000000000139.jpg")
    assert record is not None and record.boxes is not None and record.boxes.tolist() == [[1, 2, 11, 22, 0.5, 7]]
    images = [{"id": 139, "file_name": "bus.jpg"}, {"id": 2, "file_name": "dog.jpg"}]
    categories = [{"id": 3, "name": "a"}, {"id": 7, "name": "b"}]
    path.write_text(json.dumps({"images": images, "annotations": [note], "categories": categories}), encoding="utf-8")
    bus, dog = (Recorded(str(path)).of(name) for name in ("bus.jpg", "dog.jpg"))
    assert bus is not None and bus.boxes is not None and bus.boxes[0, 5] == 1
    assert dog is not None and dog.boxes is not None and not len(dog.boxes)


def test_a_name_of_two_pictures_is_of_none(tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    lines = [{"source": f"{folder}/bus.jpg", "detections": []} for folder in "ab"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    recorded = Recorded(str(path))
    assert recorded.of("bus.jpg") is None and recorded.of("a/bus.jpg") is not None


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("a.jsonl", b'{"source": "a"}\n', "'detections' is missing"),
        ("a.jsonl", b'{"source": "a", "detections": [{"box": [1, 2], "confidence": 1, "class_id": 0}]}', "no boxes"),
        ("a.json", b'[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 1e99, 4], "score": 1}]', "not finite, or huge"),
        ("a.json", b"7", "holds no boxes"),
        ("a.npz", b"PK", "holds no outputs"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes, fact: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=fact) as caught:
        Recorded(str(tmp_path / name))
    assert caught.value.hint


def test_arrays_of_no_picture_and_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", output0=np.ones(3))
    np.savez(tmp_path / "b.npz", **{"bus.jpg/out": np.array({"a": 1}, object)})
    with pytest.raises(ModelError, match="of no picture") as caught:
        Recorded(str(tmp_path / "a.npz"))
    assert caught.value.hint == "name it bus.jpg/output0"
    with pytest.raises(ModelError, match="holds no outputs"):
        Recorded(str(tmp_path / "b.npz"))
    (tmp_path / "none").mkdir()
    with pytest.raises(ModelError, match=r"no \.npz file"):
        Recorded(str(tmp_path / "none"))
