"""One command trains with 8 bits and with 4, goes on where it was killed, and keeps what was not trained."""

from __future__ import annotations

import onnx
import pytest
import toy_detector

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")

import judged  # noqa: E402
import rounding  # noqa: E402

from edge_runtime import zoo  # noqa: E402
from edge_runtime.calibrate import calibration  # noqa: E402
from edge_runtime.model.labels import VOC  # noqa: E402
from edge_runtime.zoo.export import to_onnx  # noqa: E402


def test_roundings_and_what_was_not_trained(toy, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "build", lambda name, labels=VOC, imgsz=64: toy_detector.build(imgsz=imgsz))
    whole, architecture = tmp_path / "whole.onnx", toy_detector.build(imgsz=320)
    whole.write_bytes(to_onnx(architecture, toy_detector.weights(architecture)).SerializeToString())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train").symlink_to(folder)
    given = ["--data", tmp_path / "data", "--out", tmp_path / "out", "--model", whole, "--steps", 2, "--batch", 2,
             "--limit", 4, "--no-compile", "--cache", tmp_path / "cache"]  # fmt: skip
    args = judged.parser("", "none", steps=2).parse_args([*map(str, given)])
    args.out.mkdir()
    images = sorted(map(str, (folder / "images").glob("*.png")))
    made = calibration.calibrate(str(whole), architecture.spec, images, "minmax")
    (args.out / "int8.onnx").write_bytes(made.model.SerializeToString())

    paths = rounding.files(args)
    assert list(paths) == ["float", "INT8", "INT8, trained", "4 bits", "4 bits, trained"]
    before = {name: path.read_bytes() for name, path in paths.items()}
    assert len(set(before.values())) == len(paths)
    clips = {name: count(path, "Clip") for name, path in paths.items()}
    assert clips["4 bits"] == clips["4 bits, trained"] > clips["INT8"] == clips["INT8, trained"]
    assert count(paths["INT8, trained"], "QuantizeLinear") == count(paths["INT8"], "QuantizeLinear")
    assert {name: path.read_bytes() for name, path in rounding.files(args).items()} == before, "nothing is done twice"


def count(path, op):
    return sum(node.op_type == op for node in onnx.load(path).graph.node)
