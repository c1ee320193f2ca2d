"""Files that hold float16 or bfloat16 already: they are read as float32, and float16 is decided as for any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.build import forms, half_verdict
from edge_runtime.cli._build_half import pictures
from tests.build.test_half_study import NANO, quiet, source

pytest.importorskip("edge_runtime.graph.float32")


def float16(path: Path) -> Path:
    """As exporters write it: inputs, outputs and weights in float16, but not the scales of Resize."""
    model = onnx.load(NANO)
    scales = {node.input[2] for node in model.graph.node if node.op_type == "Resize"}
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in scales:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(model, path)
    return path


def bfloat16(path: Path) -> Path:
    """Weights in bfloat16 behind a Cast: the upper halves of float32 numbers."""
    model = onnx.load(NANO)
    casts = []
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            bits = (numpy_helper.to_array(tensor).view(np.uint32) >> 16).astype(np.uint16)
            name, dims = tensor.name, list(tensor.dims)
            tensor.CopyFrom(helper.make_tensor(f"{name}.b", TensorProto.BFLOAT16, dims, bits.tobytes(), raw=True))
            casts.append(helper.make_node("Cast", [f"{name}.b"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("written", [float16, bfloat16])
def test_such_a_file_is_built_like_any_other(tmp_path, written):
    plain = half_verdict.judge(source(), pictures(""), quiet)[1]
    made, verdict = half_verdict.judge(source(written(tmp_path / "m.onnx")), pictures(""), quiet)
    assert verdict.boxes >= plain.boxes - 1 and verdict.agreement > 0.95 and verdict.study.kept == ()
    for precision, kind in (("fp32", TensorProto.FLOAT), ("fp16", TensorProto.FLOAT16)):
        form = forms.form(made, precision, True)
        assert {tensor.data_type for tensor in form.graph.initializer if len(tensor.dims) == 4} == {kind}
        assert {v.type.tensor_type.elem_type for v in (*form.graph.input, *form.graph.output)} == {TensorProto.FLOAT}
