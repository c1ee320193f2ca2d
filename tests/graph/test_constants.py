"""Constants of every form become initializers with the same values."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import AttributeProto, helper, numpy_helper

from edge_runtime.errors import ModelError
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


def thin(places, dims, name: str = ""):
    """A sparse tensor with 1, 2, ... at the places."""
    places = np.asarray(places, np.int64)
    values = numpy_helper.from_array(np.arange(1, len(places) + 1, dtype=np.float32), name)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(places), dims)


@pytest.mark.parametrize("places", [[0, 4, 5], [[0, 0], [1, 1], [1, 2]]])
def test_sparse_ones_get_their_zeros(places):
    constant = helper.make_node("Constant", [], ["c"], sparse_value=thin(places, [2, 3]))
    found: Network = network(constant, node("Add", "x c", "y"))
    assert [each.op_type for each in found.nodes] == ["Add"]
    assert found.constants["c"].tolist() == [[1, 0, 0], [0, 2, 3]]
    model = network(node("Add", "x c", "y")).model
    model.graph.sparse_initializer.append(thin(places, [2, 3], "c"))
    assert Network(model).constants["c"].tolist() == [[1, 0, 0], [0, 2, 3]]


def test_a_huge_sparse_one_stays_and_a_damaged_one_is_refused():
    constant = helper.make_node("Constant", [], ["c"], sparse_value=thin([0], [1 << 20, 1 << 20]))
    assert [each.op_type for each in network(constant, node("Add", "x c", "y")).nodes] == ["Constant", "Add"]
    with pytest.raises(ModelError, match="damaged"):
        network(helper.make_node("Constant", [], ["c"], sparse_value=thin([9], [3])), node("Add", "x c", "y"))


def test_an_empty_list():
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(AttributeProto(name="value_ints", type=AttributeProto.INTS))
    found = network(constant, node("Reshape", "x c", "y"))
    assert found.constants["c"].shape == (0,) and found.constants["c"].dtype == np.int64
