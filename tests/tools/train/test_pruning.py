"""One command prunes a network in four ways, goes on where it was killed, and counts what is left."""

from __future__ import annotations

import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")

import judged  # noqa: E402
import pruning  # noqa: E402

from edge_runtime.graph import sparsity  # noqa: E402

ZEROS = ("magnitude", "2-of-4", "continuous")


def test_prunings_and_what_they_leave(compared):
    args = pruning.parser().parse_args(compared(6))
    paths = pruning.files(args)
    left = pruning.left(paths)
    assert set(left["MACs left"]) == {"whole", "filters, not trained", "filters", *ZEROS}
    assert float(left["MACs left"]["filters"]) <= 0.7 and left["MACs left"]["magnitude"] == "1.000"
    assert left["weights left"]["filters"] == left["weights left"]["filters, not trained"] < "1"
    assert "0.6" < left["weights left"]["magnitude"] < "0.8", "0.8 of what may go, twice; the heads stay"
    assert sparsity.layers(onnx.load(paths["2-of-4"])) and not sparsity.layers(onnx.load(paths["magnitude"]))
    before = {name: path.read_bytes() for name, path in paths.items()}
    assert {name: path.read_bytes() for name, path in pruning.files(args).items()} == before, "nothing is done twice"


def test_flags_of_a_training_name_the_teacher_and_what_is_special(tmp_path):
    args = judged.parser("", "none", steps=9).parse_args(["--data", "d", "--out", "o", "--model", "m", "--no-compile"])
    words = judged.flags(args, "qat", bits=4)
    assert words[words.index("--bits") + 1] == "4" and {"--no-compile", "d/train", "o/qat"} <= set(words)
    assert words[words.index("--before") + 1] == "m" and words[words.index("--steps") + 1] == "9"
    assert judged.flags(args, "x", steps=3)[words.index("--steps") + 1] == "3"
