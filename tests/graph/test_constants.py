"""Constants of every form become initializers with the same values."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from edge_runtime.graph.network import Network
from tests.graph.test_folding import network, node

FORMS = {
    "value": (numpy_helper.from_array(np.array([[1, 2]], np.int32)), np.array([[1, 2]], np.int32)),
    "value_float": (1.5, np.array(1.5, np.float32)),
    "value_floats": ([1.5, -2.0], np.array([1.5, -2.0], np.float32)),
    "value_int": (-3, np.array(-3, np.int64)),
    "value_ints": ([4, 5, 6], np.array([4, 5, 6], np.int64)),
}


@pytest.mark.parametrize("form", FORMS)
def test_numbers(form):
    given, expected = FORMS[form]
    found = network(helper.make_node("Constant", [], ["c"], **{form: given}), node("Identity", "c", "y"))
    assert found.constants["c"].dtype == expected.dtype and found.constants["c"].shape == expected.shape
    assert np.array_equal(found.constants["c"], expected)
    assert [each.op_type for each in found.nodes] == ["Identity"]


@pytest.mark.parametrize(("form", "given"), [("value_string", "a"), ("value_strings", ["a", "b"])])
def test_texts(form, given):
    found = network(helper.make_node("Constant", [], ["c"], **{form: given}), node("Identity", "c", "y"))
    assert found.constants["c"].reshape(-1).tolist() == list(given)


def test_sparse_ones_stay_nodes():
    values, indices = (helper.make_tensor("", kind, [1], [1]) for kind in (TensorProto.FLOAT, TensorProto.INT64))
    sparse = helper.make_sparse_tensor(values, indices, [3])
    found: Network = network(helper.make_node("Constant", [], ["c"], sparse_value=sparse), node("Add", "x c", "y"))
    assert [each.op_type for each in found.nodes] == ["Constant", "Add"] and not found.constants


def test_an_empty_list():
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(AttributeProto(name="value_ints", type=AttributeProto.INTS))
    found = network(constant, node("Reshape", "x c", "y"))
    assert found.constants["c"].shape == (0,) and found.constants["c"].dtype == np.int64
