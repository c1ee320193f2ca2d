"""Which file a detector is, for those who see only its metrics."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from onnx import helper, numpy_helper

from edge_runtime.detect import identity

ENGINES = Path(__file__).resolve().parents[2] / "engines"


def test_sum_and_precision(tmp_path: Path) -> None:
    for name, precision in {"yolo_nano_voc_int8.onnx": "int8", "yolo_nano_voc.onnx": "fp32"}.items():
        digest = hashlib.sha256((ENGINES / name).read_bytes()).hexdigest()
        assert identity.of_file(str(ENGINES / name)) == {"sha256": digest, "precision": precision}
    half = tmp_path / "half.onnx"
    weight = numpy_helper.from_array(np.ones(1, np.float16), "w")
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "half", [], [], [weight])
    half.write_bytes(helper.make_model(graph).SerializeToString())
    assert identity.of_file(str(half))["precision"] == "fp16"


def test_of_another_file_only_the_sum_is_known(tmp_path: Path) -> None:
    path = tmp_path / "m.replay.npz"
    path.write_bytes(b"content")
    assert identity.of_file(str(path)) == {"sha256": hashlib.sha256(b"content").hexdigest(), "precision": ""}


def test_a_file_that_is_gone_or_damaged(tmp_path: Path) -> None:
    (tmp_path / "torn.onnx").write_bytes(b"\x08")
    for name in ("torn.onnx", "gone.onnx", "gone.plan"):
        assert identity.of_file(str(tmp_path / name)) == {"sha256": "", "precision": ""}
