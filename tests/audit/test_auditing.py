"""The right stage is named for faults that another program makes, on the network and photographs that come along."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import cv2
import numpy as np
import pytest

from edge_runtime.audit import auditing, words
from edge_runtime.audit.sides import open_side
from edge_runtime.audit.stages import EQUAL, OPEN, PARTS, Audit
from edge_runtime.backends import replay
from edge_runtime.errors import UsageError
from edge_runtime.files.read import parse_toml
from edge_runtime.imaging import image_file
from edge_runtime.model import onnx_file, shipped
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.sources.demo import PHOTOS

pytest.importorskip("onnxruntime")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import audit_edits as edits  # noqa: E402
import audit_twin as twin  # noqa: E402

MODEL = shipped.shipped_folder() / "yolo_nano_voc.onnx"
OTHER = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)))
CONF = 0.1  # two photographs have few boxes


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> List[Path]:
    """The photographs, and parts of them that are not square."""
    folder = tmp_path_factory.mktemp("photos")
    one, two = (cv2.imread(str(path)) for path in sorted(PHOTOS.glob("*.jpg")))
    parts = {"one.png": one[:, 40:440], "two.png": two}
    for name, part in parts.items():
        cv2.imwrite(str(folder / name), part)
    return [folder / name for name in parts]


@pytest.fixture(scope="module")
def another() -> twin.Twin:
    anchors = parse_toml((ROOT / "engines" / "yolo_nano_voc.toml").read_text(encoding="utf-8"))["anchors"]
    return twin.Twin(str(MODEL), 320, "v3", anchors=tuple(anchors), conf=CONF)


Audited = Callable[..., Audit]
Written = Callable[..., Path]


@pytest.fixture(scope="module")
def audited(photos: List[Path]) -> Audited:
    pictures = [(str(path), image_file.read_image(str(path))) for path in photos]

    def run(first: Path, second: Path, conf: float = CONF) -> Audit:
        sides = [open_side(str(path), ModelFlags(), Thresholds(conf), 1) for path in (first, second)]
        return auditing.audit(sides[0], sides[1], pictures)

    return run


@pytest.fixture
def written(another: twin.Twin, photos: List[Path], tmp_path: Path) -> Written:
    """What the other program writes, with something wrong."""

    def write(suffix: str, kept: Sequence[str] = (), **wrong: Any) -> Path:
        return twin.write(tmp_path / f"theirs{suffix}", twin.run(another.but(**wrong), photos), kept)

    return write


CASES: List[Tuple[str, str, Sequence[str], Dict[str, Any], str]] = [
    ("", ".npz", ("input", "boxes"), {}, ""),
    ("", ".jsonl", (), {}, ""),
    ("pixels", ".npz", (), {"bgr": True}, "channels in the order bgr, not rgb"),
    ("pixels", ".npz", ("input",), {"fit": "crop"}, "pictures cut to their middle, not fitted by letterbox"),
    ("pixels", ".npz", ("input",), {"gain": 2}, "input values twice as large"),
    ("pixels", ".jsonl", (), {"fit": "stretch"}, "pictures fitted by stretch, not by letterbox"),
    ("decoding", ".npz", ("boxes",), {"not_scaled": 1}, "boxes in pixels of the input"),
    ("decoding", ".json", (), {"class_offset": 1}, "class numbers one higher"),
    ("decoding", ".npz", ("boxes",), {"anchors": OTHER}, "the anchors of yolov5"),
    ("thresholds", ".npz", ("boxes",), {"conf": 0.4}, "a confidence threshold near"),
    ("NMS", ".npz", ("boxes",), {"no_nms": 1}, "no NMS"),
]


@pytest.mark.parametrize(("stage", "suffix", "kept", "wrong", "about"), CASES)
def test_the_stage_is_named(
    stage: str, suffix: str, kept: Sequence[str], wrong: Dict[str, Any], about: str, audited: Audited, written: Written
) -> None:
    found = audited(MODEL, written(suffix, kept, **wrong))
    assert (found.first.name if found.first else "") == stage, words.rows(found)
    assert about in words.sentence(found)
    if not stage:
        assert "are equal" in words.sentence(found) and not words.parted(found)


def test_broken_weights_are_found_in_the_file_and_in_its_outputs(
    audited: Audited, written: Written, tmp_path: Path
) -> None:
    broken = edits.with_broken_weights(str(MODEL), tmp_path / "broken.onnx", 30, 1.5)
    found = audited(MODEL, broken)
    assert found.first is not None and found.first.name == "layers" and found.layers is not None
    assert found.layers.first is not None and found.layers.first.name in words.sentence(found)
    found = audited(MODEL, written(".npz", path=str(broken)))
    assert found.first is not None and found.first.name == "layers"
    assert [stage.verdict for stage in found.stages[2:]] == [OPEN] * 3


def test_a_file_that_swaps_colours_inside_is_said_to_do_so(audited: Audited, tmp_path: Path) -> None:
    found = audited(MODEL, edits.with_swapped_channels(str(MODEL), tmp_path / "swapped.onnx"))
    assert found.first is not None and found.first.name == "pixels"
    assert "swapped.onnx has channels in the order bgr" in words.sentence(found)
    assert found.stages[1].verdict == EQUAL, "with the colours swapped its layers are the same"


def test_a_recipe_beside_a_file_is_read(audited: Audited, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(MODEL.read_bytes())
    assert audited(MODEL, copy).first is None
    (tmp_path / "copy.toml").write_text('color = "bgr"\n', encoding="utf-8")
    found = audited(copy, MODEL)
    assert found.first is not None and found.first.name == "pixels"
    assert "yolo_nano_voc.onnx has channel order rgb, not bgr" in words.sentence(found)
    assert found.stages[1].verdict == EQUAL
    (tmp_path / "copy.toml").write_text("scale_xy = [1.0, 1.0, 1.0]\n", encoding="utf-8")
    found = audited(MODEL, copy)
    assert found.first is not None and found.first.name == "decoding" and "scale_xy 1, not 2" in words.sentence(found)


def test_int8_is_equal_within_what_it_explains(audited: Audited) -> None:
    found = audited(MODEL, shipped.shipped_folder() / shipped.INT8, 0.25)
    assert found.first is None and "int8 explains it" in found.stages[1].about


@pytest.mark.parametrize(("factor", "stage"), [(1.0, ""), (1.3, "layers")])
def test_a_file_of_another_backend(
    factor: float, stage: str, audited: Audited, photos: List[Path], tmp_path: Path
) -> None:
    """A recording takes the place of a plan: whole pictures go in, outputs come out."""
    io, network = onnx_file.read_io(str(MODEL)), open_side(str(MODEL), ModelFlags(), Thresholds(), 1)
    records = [network.record(str(path), image_file.read_image(str(path))) for path in photos]
    runs = [[array[None] * np.float32(factor) for array in record.outputs.values()] for record in records if record]
    replay.record(str(tmp_path / "plan.replay.npz"), io, runs)
    found = audited(MODEL, tmp_path / "plan.replay.npz")
    assert (found.first.name if found.first else "") == stage, words.rows(found)
    assert found.names == ("yolo_nano_voc.onnx", "plan.replay.npz")


def test_boxes_that_are_nowhere_are_no_proof_of_anything(audited: Audited, written: Written, tmp_path: Path) -> None:
    found = audited(MODEL, written(".jsonl", conf=0.999))
    assert found.first is not None and "no box in any picture" in words.sentence(found)
    assert [stage.verdict for stage in found.stages].count(PARTS) == 1


def test_two_records_are_refused(audited: Audited, written: Written, tmp_path: Path) -> None:
    path = written(".jsonl")
    with pytest.raises(UsageError, match="is an ONNX file"):
        audited(path, path)
    (tmp_path / "none.jsonl").write_text('{"source": "other.jpg", "detections": []}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="has none of the 2 pictures"):
        audited(MODEL, tmp_path / "none.jsonl")
