"""What is written: a recipe that reads back as the same statements, and a copy of the model that needs none."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper
from tiny import boxes_v8, write_onnx

from edge_runtime.detect.understand import understand
from edge_runtime.errors import UsageError
from edge_runtime.identify.answer import recipe, stamp
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import load_recipe
from edge_runtime.model.spec import ModelSpec

SPEC = ModelSpec(
    "yolo_v8", (64, 64), ('a "b"', "ü\x7f\\", "c\n"), resize="stretch", color="bgr", mean=(103.53, 116.28, 123.675),
    std=(57.375, 57.12, 58.395), pad_value=0, head_layout=("fraction",),
)  # fmt: skip


def test_a_recipe_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(recipe(SPEC, {"by": "AP", "score": 0.5, "sure": 'a "word"'}), encoding="utf-8")
    said = load_recipe(str(path)).said()
    assert said.pop("imgsz") == SPEC.input_wh
    assert {"anchors", "strides", "scale_xy"}.isdisjoint(said)
    assert said == {name: getattr(SPEC, name) for name in said} and len(said) == 8


def test_a_known_set_of_names_is_one_word(tmp_path: Path) -> None:
    from edge_runtime.model.labels import VOC

    assert 'labels = "voc"' in recipe(ModelSpec("yolo_v8", (64, 64), VOC), {})


def test_a_copy_says_it_itself(tmp_path: Path) -> None:
    source = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))}, metadata={"author": "me"})
    before = Path(source).read_bytes()
    stamp(source, tmp_path / "new.onnx", SPEC)
    io = onnx_file.read_io(str(tmp_path / "new.onnx"))
    model = understand("new.onnx", io)
    assert model.spec == SPEC and model.certain and not model.notes
    assert io.metadata["author"] == "me" and Path(source).read_bytes() == before
    assert onnx.load(str(tmp_path / "new.onnx")).graph == onnx.load(source).graph


def test_weights_beside_the_file_stay_in_reach(tmp_path: Path) -> None:
    source = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    onnx.save(onnx.load(source), str(tmp_path / "big.onnx"), save_as_external_data=True, location="big.bin",
              size_threshold=0)  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UsageError, match=r"keeps its weights in big\.bin"):
        stamp(str(tmp_path / "big.onnx"), tmp_path / "elsewhere" / "new.onnx", SPEC)
    stamp(str(tmp_path / "big.onnx"), tmp_path / "new.onnx", SPEC)
    copy, before = (onnx.load(path).graph.initializer for path in (str(tmp_path / "new.onnx"), source))
    assert [numpy_helper.to_array(each).tolist() for each in copy] == [
        numpy_helper.to_array(each).tolist() for each in before
    ]
