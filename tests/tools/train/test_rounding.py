"""One command trains with 8 bits and with 4, goes on where it was killed, and keeps what was not trained."""

from __future__ import annotations

import onnx
import pytest
import toy_detector

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")

import judged  # noqa: E402
import rounding  # noqa: E402

from edge_runtime.calibrate import calibration  # noqa: E402


def test_roundings_and_what_was_not_trained(compared, folder):
    args = judged.parser("", "none", steps=2).parse_args(compared(2))
    images = sorted(map(str, (folder / "images").glob("*.png")))
    made = calibration.calibrate(str(args.model), toy_detector.build(imgsz=320).spec, images, "minmax")
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
