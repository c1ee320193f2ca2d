"""Old opsets are raised, or refused with the reason; functions are written out."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.errors import ModelError
from edge_runtime.graph.opsets import inlined, raised
from edge_runtime.graph.prepare import OPSET, prepare
from edge_runtime.graph.subgraphs import inner_graphs


def model(opset: int, *nodes: onnx.NodeProto, **constants: object) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes), "g", [info("x", TensorProto.FLOAT, [1, 2, 4, 4])], [info("y", TensorProto.FLOAT, None)], tensors
    )
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4)
    found.metadata_props.add(key="names", value="a,b")
    return found


def run(found: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.arange(-16, 16, dtype=np.float32).reshape(1, 2, 4, 4)})[0]


def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


SCALES = np.array([1, 1, 2, 2], np.float32)
PARAMETERS = {name: np.array(value, np.float32) for name, value in zip("gbmv", ([1, 2], [0, 1], [1, 0], [1, 4]))}
# fmt: off
OLD = {
    "clip": (9, [node("Clip", "x", "y", min=-2.0, max=3.0)], {}),
    "clip without an upper end": (9, [node("Clip", "x", "y", min=-2.0)], {}),
    "pad": (9, [node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 1, 1])], {}),
    "pad, reflect, with a value": (9, [node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect", value=0.0)],
                                   {}),
    "pad, edge, with a value": (10, [node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="edge", value=1.0)], {}),
    "pad, with a value": (10, [node("Pad", "x", "y", pads=[0, 0, -1, 1, 0, 0, 1, 1], value=2.5)], {}),
    "pad, of inputs": (11, [node("Pad", "x p v", "y")], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "v": np.float32(3)}),
    "slice of many axes": (9, [node("Slice", "x", "y", starts=[0, 0, -3], ends=[1, 2, 2**31 - 1])], {}),
    "squeeze without axes": (12, [node("Squeeze", "x", "y")], {}),
    "unsqueeze at the end": (12, [node("Unsqueeze", "x", "y", axes=[-1])], {}),
    "split of sizes": (12, [helper.make_node("Split", ["x"], ["a", "b"], axis=2, split=[1, 3]),
                            node("Concat", "b a", "y", axis=2)], {}),
    "sum": (12, [node("ReduceSum", "x", "y", axes=[1], keepdims=0)], {}),
    "sum of all": (9, [node("ReduceSum", "x", "y")], {}),
    "clip of inputs": (11, [node("Clip", "x low", "y")], {"low": np.float32(-1)}),
    "dropout of inputs": (12, [node("Dropout", "x r", "y")], {"r": np.float32(0.5)}),
    "dropout with a mask": (10, [helper.make_node("Dropout", ["x"], ["y", "mask"], ratio=0.5)], {}),
    "largest": (9, [helper.make_node("TopK", ["x"], ["y", "i"], k=2, axis=2)], {}),
    "least": (11, [helper.make_node("TopK", ["x", "k"], ["y", "i"], axis=1, largest=0)], {"k": np.array([1])}),
    "resize to sizes": (11, [helper.make_node("Resize", ["x", "e", "e", "n"], ["y"], mode="nearest")],
                        {"e": np.zeros(0, np.float32), "n": np.array([1, 2, 8, 8])}),
    "hardmax": (11, [node("Hardmax", "x", "y", axis=1)], {}),
    "hardmax of the last axis": (12, [node("Hardmax", "x", "y", axis=3)], {}),
    "an output without a shape": (11, [node("Compress", "x c", "y", axis=2)], {"c": np.array([True, False, True])}),
    "slice": (9, [node("Slice", "x", "y", starts=[1], ends=[3], axes=[2])], {}),
    "squeeze": (9, [node("Unsqueeze", "x", "a", axes=[0]), node("Squeeze", "a", "y", axes=[0])], {}),
    "split": (11, [helper.make_node("Split", ["x"], ["a", "b"], axis=1), node("Add", "a b", "y")], {}),
    "upsample": (9, [node("Upsample", "x s", "y", mode="nearest")], {"s": SCALES}),
    "resize": (10, [node("Resize", "x s", "y", mode="nearest")], {"s": SCALES}),
    "upsample, linear": (9, [node("Upsample", "x s", "y", mode="linear")], {"s": SCALES}),
    "resize, linear": (10, [node("Resize", "x s", "y", mode="linear")], {"s": SCALES[[0, 0, 2, 0]]}),
    "resize, no whole factor": (10, [node("Resize", "x s", "y")], {"s": np.array([1, 1, 1.75, 0.5], np.float32)}),
    "dropout": (9, [node("Dropout", "x", "y", ratio=0.5)], {}),
    "batch normalisation": (9, [node("BatchNormalization", "x g b m v", "y", momentum=0.9)], PARAMETERS),
    "softmax": (11, [node("Softmax", "x", "y", axis=1)], {}),
    "mean": (11, [node("ReduceMean", "x", "y", axes=[2, 3], keepdims=1)], {}),
}


# fmt: on
@pytest.mark.parametrize("name", OLD)
def test_raised_with_the_same_values(name):
    opset, nodes, constants = OLD[name]
    expected = run(model(opset, *nodes, **constants))
    try:
        found = prepare(model(opset, *nodes, **constants)).model
    except ModelError as error:  # of an old onnx, whose converter cannot do it
        assert (
            name.split(",")[0] in ("upsample", "pad")
            and f"opset {opset} cannot be raised" in str(error)
            and "export" in str(error.hint)
        )
        return
    assert found.opset_import[0].version == OPSET
    assert run(found).shape == expected.shape
    np.testing.assert_allclose(run(found), expected, rtol=1e-5, atol=1e-6)


def test_a_file_of_the_first_format():
    """There, each constant is an input too. Those that we add for an input of whole numbers are none."""
    found = model(9, node("Clip", "x", "a", min=-2.0, max=3.0), node("Mul", "a two", "y"), two=np.float32(2))
    expected = run(found)
    found.ir_version = 3
    np.testing.assert_array_equal(run(prepare(found).model), expected)


@pytest.mark.parametrize("opset", [13, 17, 22])
def test_new_ones_stay(opset):
    found = model(opset, node("Relu", "x", "y"))
    assert raised(found, OPSET) is found


def branching(opset: int, inside: onnx.NodeProto) -> onnx.ModelProto:
    branch = helper.make_graph([inside], "b", [], [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)])
    return model(opset, helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch),
                 flag=np.array(True))  # fmt: skip


def test_branches_of_an_old_opset():
    expected = run(branching(11, node("Neg", "x", "t")))
    found = raised(branching(11, node("Neg", "x", "t")), OPSET)
    np.testing.assert_array_equal(run(found), expected)
    assert found.metadata_props[0].value == "a,b"
    for inside in (node("Softmax", "x", "t", axis=1), node("Unsqueeze", "x", "t", axes=[0])):
        before = run(branching(11, inside))
        try:
            np.testing.assert_allclose(run(raised(branching(11, inside), OPSET)), before)
        except ModelError as error:
            assert "opset 11 cannot be raised" in str(error) and error.hint == "export with opset 13 to 17"


def test_an_operator_that_is_not_known_is_refused_with_its_opset():
    with pytest.raises(ModelError, match="opset 9 cannot be raised"):
        raised(model(9, node("Nonsense", "x", "y")), OPSET)


def test_functions_are_written_out():
    pytest.importorskip("onnx.inliner", reason="this version of onnx cannot write functions out")
    found = model(17, helper.make_node("Twice", ["x"], ["y"], domain="own"))
    found.ir_version = 8
    body = [node("Add", "a a", "b")]
    found.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    found.opset_import.append(helper.make_opsetid("own", 1))
    whole = inlined(found)
    assert [each.op_type for each in whole.graph.node] == ["Add"] and not whole.functions
    assert run(whole)[0, 0, 0, 0] == -32 and not any(inner_graphs(each) for each in whole.graph.node)
