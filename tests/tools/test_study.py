"""The study of this machine: the forms that are made first, and a file whose engines have what they need."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import study

from edge_runtime.files import read
from edge_runtime.study import counting

pytest.importorskip("onnxruntime")
TOML = study.ROOT / "tools" / "study.toml"


def test_forms_before_and_after_compaction(tmp_path):
    if not study.SHIPPED.is_file():
        pytest.skip("needs the shipped float model")
    study.make_forms(tmp_path)
    dead, made = (counting.counts(str(tmp_path / f"yolo_nano_{form}.onnx")) for form in ("dead", "compacted"))
    shipped = counting.counts(str(study.SHIPPED))
    assert dead["conv_macs"] == shipped["conv_macs"] and dead["input"] == made["input"] == shipped["input"]
    assert made["conv_macs"] < 0.5 * dead["conv_macs"] and made["parameters"] < 0.5 * dead["parameters"]
    assert (tmp_path / "yolo_nano_voc_fp16.onnx").stat().st_size < 0.6 * study.SHIPPED.stat().st_size
    named = {Path(engine["file"]).name for engine in engines() if "out/study/" in engine["file"]}
    assert named == {path.name for path in tmp_path.iterdir()}, "every form has a row, and every row its form"


def engines():
    return read.parse_toml(TOML.read_text(encoding="utf-8"))["engine"]


def test_what_is_trained_first_need_not_be_there():
    for folder, tool, count in (("rounding", "rounding.py", 3), ("pruning", "pruning.py", 4)):
        trained = [engine for engine in engines() if f"out/{folder}/" in engine["file"]]
        assert len(trained) == count and all(tool in engine["optional"] for engine in trained)
        assert (study.ROOT / "tools" / "train" / tool).is_file()


def test_every_system_of_the_papers_is_asked_for():
    from edge_runtime.study.published import published

    asked = {name for engine in engines() for name in (engine.get("system", ""), *engine.get("published", ()))}
    assert {one.system for one in published()} <= asked
