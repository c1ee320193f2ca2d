"""The table of agreement beside AP damages files as it says, and knows which row contradicts the limits."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import agreement
from bench.report import Table

from edge_runtime.accuracy import evidence
from tests.models import INT8


def scales(model: onnx.ModelProto) -> dict:
    names = {node.input[1] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer if each.name in names}


@pytest.mark.parametrize(("only", "changed"), [(None, "all"), (0.5, "one")])
def test_ranges_are_multiplied(only, changed):
    before, after = onnx.load(INT8[0]), onnx.load(INT8[0])
    agreement.scale_ranges(after, 3.0, only)
    ratios = [float(scales(after)[name] / array) for name, array in scales(before).items()]
    wide = [ratio for ratio in ratios if ratio == pytest.approx(3.0)]
    assert len(wide) == (len(ratios) if changed == "all" else 1)
    assert len(wide) + sum(ratio == pytest.approx(1.0) for ratio in ratios) == len(ratios)


def test_weights_have_fewer_values():
    model = onnx.load(INT8[0])
    agreement.coarsen_weights(model, 5)
    weights = [numpy_helper.to_array(each) for each in model.graph.initializer
               if each.data_type == TensorProto.INT8 and len(each.dims) > 1]  # fmt: skip
    assert weights and all((array % 8 == 0)[array < 127].all() for array in weights)
    assert any(np.unique(array).size > 4 for array in weights)


@pytest.mark.parametrize("drop", [0.1, 0.5, 2.0])
def test_what_the_limits_allow_is_their_inverse(drop):
    assert agreement.allowed(evidence.limits(evidence.AGREEMENT, drop)[0]) == pytest.approx(drop)


def test_a_row_that_contradicts():
    table = Table("", agreement.COLUMNS)
    agreement.add(table, "a", "small", 10.0, 0.9, (0.4, 1.4))
    agreement.add(table, "a", "sure", 10.0, 1.2, (0.6, 1.8))
    agreement.add(table, "a", "large", 60.0, 15.0, (12.0, 18.0))
    assert [row["contradicts"] for row in table.data] == [False, True, False]
    assert [row[-1] for row in table.rows] == ["", "CONTRADICTS", ""]
    assert (
        "2 rows lose at most 10 points of agreement. The most AP that one of them loses is +1.20 (a, sure)"
        in (agreement.summary(table)[0])
    )
