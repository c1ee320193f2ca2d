"""Float networks made ready: same function after folding, decoding recognised, quantised files told apart."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime import zoo
from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import OPSET, prepare, state
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx


def outputs(model: onnx.ModelProto, image: np.ndarray):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})


def nano(keep_bn=True) -> onnx.ModelProto:
    architecture = zoo.build("yolo_nano", VOC, 64)
    values = weights.random(architecture, 1)
    generator = np.random.default_rng(0)
    for name in values:  # normalisation that does something
        if ".bn." in name:
            values[name] = values[name] + generator.uniform(0.0, 0.2, values[name].shape).astype(np.float32)
    return to_onnx(architecture, values, keep_bn=keep_bn)


def test_batch_normalisation_is_folded_and_nothing_changes():
    image = np.random.default_rng(1).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32)
    expected = outputs(nano(), image)
    network = prepare(nano())
    assert not [node for node in network.nodes if node.op_type == "BatchNormalization"]
    assert not [name for name in network.constants if ".bn.mean" in name], "what nobody reads is gone"
    for one, other in zip(expected, outputs(network.model, image)):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3 * np.abs(one).max())


def graph(*nodes, constants=()):
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])
    end = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants]
    body = helper.make_graph(list(nodes), "g", [image], [end], tensors)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


W = ("w", np.ones((2, 2, 1, 1), np.float32))


@pytest.mark.parametrize("turned", [False, True])
def test_batch_normalisation_behind_a_gemm_is_folded(turned):
    numbers = np.random.default_rng(0)
    shape = (8, 32) if turned else (32, 8)
    constants = [("w", numbers.normal(size=shape).astype(np.float32))]
    constants += [(name, numbers.uniform(0.5, 2, 8).astype(np.float32)) for name in "bgtmv"]
    gemm = node("Gemm", "f w b", "c", transB=int(turned), alpha=0.5)
    found = graph(node("Flatten", "x", "f"), gemm, node("BatchNormalization", "c g t m v", "y"), constants=constants)
    image = numbers.normal(size=(1, 2, 4, 4)).astype(np.float32)
    expected = outputs(found, image)[0]
    network = prepare(found)
    assert [each.op_type for each in network.nodes] == ["Flatten", "Gemm"]
    np.testing.assert_allclose(outputs(network.model, image)[0], expected, rtol=1e-4, atol=1e-4)


def test_states():
    conv = node("Conv", "x w", "y")
    assert state(graph(conv, constants=[W])) == "float"
    weight = node("DequantizeLinear", "wq s z", "w")
    assert state(graph(weight, conv)) == "float", "weights alone may be stored in 8 bits"
    rounded = [node("QuantizeLinear", "x s z", "xq"), node("DequantizeLinear", "xq s z", "xd"), weight]
    assert state(graph(*rounded, node("Conv", "xd w", "y"))) == "quantised"
    with pytest.raises(ModelError, match="partly quantised: 1 of 2"):
        state(graph(*rounded, conv, node("Conv", "y v", "u")))
    with pytest.raises(ModelError, match="dynamically"):
        state(graph(node("DynamicQuantizeLinear", "x", "y"), node("ConvInteger", "y w", "u")))
    with pytest.raises(ModelError, match=r"INT8 already, made of quantised operators \(QLinearConv") as failure:
        state(graph(node("QLinearConv", "x s z w s z s z", "u")))
    assert failure.value.hint


def test_decoding_begins_behind_the_last_learnt_weight():
    """The mean over a distribution's bins is a convolution with weights 0, 1, 2 …, and decodes."""
    bins = ("bins", np.arange(2, dtype=np.float32).reshape(1, 2, 1, 1))
    nodes = [node("Conv", "x w", "y"), node("Sigmoid", "y", "s"), node("Conv", "s w2", "h")]
    nodes += [node("Softmax", "h", "p", axis=1), node("Conv", "p bins", "d")]
    model = graph(*nodes, constants=[W, ("w2", W[1]), bins])
    assert Network(model).leading_to_weights() == {"y", "s", "h"}


def test_constants_have_one_form():
    value = numpy_helper.from_array(np.array([3.0], np.float32), "c")
    network = Network(graph(node("Constant", "", "c", value=value), node("Add", "x c", "y")))
    assert network.constants["c"].tolist() == [3.0] and [n.op_type for n in network.nodes] == ["Add"]
    assert network.inputs == ["x"] and network.producer("y").op_type == "Add" and len(network.consumers("x")) == 1


def test_shared_files_are_recognised(shared):
    kinds = {"yolov8/yolov8n_640_fp32deq": "float", "yolo11/yolo11n_320_int8qdq": "quantised"}
    for file, kind in kinds.items():
        assert state(onnx.load(shared / "models" / f"{file}.onnx")) == kind
    with pytest.raises(ModelError, match="ConvInteger"):
        state(onnx.load(shared / "models" / "yolov8" / "yolov8n_640_int8dyn.onnx"))


@pytest.mark.skipif(onnx.__version__.startswith("1.13."), reason="the converter of onnx 1.13 refuses its Softmax")
def test_a_shared_file_of_an_old_opset_is_raised(shared):
    old = prepare(onnx.load(shared / "models" / "ultraface" / "version-RFB-320.onnx"))
    assert old.model.opset_import[0].version == OPSET and not any(n.op_type == "BatchNormalization" for n in old.nodes)


BN = {"g": [2, 3], "b": [1, 0], "m": [0.5, 1], "v": [4, 1]}


@pytest.mark.parametrize("kernel", [1, 2, 3], ids=["1-D", "2-D", "3-D"])
@pytest.mark.parametrize("biased", [False, True])
def test_batch_normalisation_in_any_number_of_dimensions(kernel, biased):
    constants = [(name, np.array(values, np.float32)) for name, values in BN.items()]
    constants += [("w", np.ones((2, 2, *[1] * kernel), np.float32)), ("c", np.array([1, 2], np.float32))]
    made = [node("Conv", "x w c" if biased else "x w", "h"), node("BatchNormalization", "h g b m v", "y")]
    model = graph(*made, constants=constants)
    sizes = [1, 2, *[4] * kernel]
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes))
    image = np.random.default_rng(0).uniform(-1, 1, sizes).astype(np.float32)
    (expected,) = outputs(model, image)
    network = prepare(model)
    assert [each.op_type for each in network.nodes] == ["Conv"]
    np.testing.assert_allclose(outputs(network.model, image)[0], expected, rtol=1e-4, atol=1e-5)


WIDTHS = {"Conv": (0, 1), "ConvTranspose": (1, 1), "ConvTranspose of 2 groups": (1, 2), "Conv of 2 groups": (0, 2)}


@pytest.mark.parametrize("kind", WIDTHS)
@pytest.mark.parametrize("biased", [False, True])
def test_batch_normalisation_behind_convolutions_of_every_kind(kind, biased):
    """Six channels become four. Grouped transposed ones keep theirs: their groups share scales."""
    axis, group = WIDTHS[kind]
    numbers = np.random.default_rng(0)
    shape = [4, 6 // group, 2, 2] if axis == 0 else [6, 4 // group, 2, 2]
    constants = [("w", numbers.normal(size=shape).astype(np.float32))]
    constants += [(name, numbers.uniform(0.5, 2, 4).astype(np.float32)) for name in "cgbmv"]
    made = [
        node("Concat", "x x x", "many", axis=1),
        helper.make_node(kind.split()[0], ["many", "w", "c" if biased else ""], ["h"], group=group, strides=[2, 2]),
        node("Identity", "g", "gamma"),
        node("BatchNormalization", "h gamma b m v", "y", epsilon=1e-3),
    ]
    model = graph(*made, constants=constants)
    image = numbers.normal(size=(1, 2, 4, 4)).astype(np.float32)
    (expected,) = outputs(model, image)
    network = prepare(model)
    kept = kind == "ConvTranspose of 2 groups"
    assert ("BatchNormalization" in [each.op_type for each in network.nodes]) == kept
    np.testing.assert_allclose(outputs(network.model, image)[0], expected, rtol=1e-4, atol=1e-4)


def test_batch_normalisation_behind_weights_that_two_convolutions_share_keeps_the_function():
    numbers = np.random.default_rng(0)
    constants = [("w", numbers.normal(size=(2, 2, 3, 3)).astype(np.float32))]
    constants += [(name, numbers.uniform(0.5, 2, 2).astype(np.float32)) for name in "gbmv"]
    model = graph(node("Conv", "x w", "h"), node("BatchNormalization", "h g b m v", "n"), node("Conv", "x w", "o"),
                  node("Sub", "n o", "y"), constants=constants)  # fmt: skip
    image = numbers.normal(size=(1, 2, 4, 4)).astype(np.float32)
    (expected,) = outputs(model, image)
    np.testing.assert_allclose(outputs(prepare(model).model, image)[0], expected, rtol=1e-4, atol=1e-4)


def test_batch_normalisation_that_trains_or_has_computed_parameters_stays():
    constants = [W, *((name, np.array(values, np.float32)) for name, values in BN.items())]
    conv = node("Conv", "x w", "h")
    trains = node("BatchNormalization", "h g b m v", "y", training_mode=1)
    gives = helper.make_node("BatchNormalization", "h g b m v".split(), ["y", "mean", "var"], training_mode=1)
    computed = [node("ReduceMean", "x", "p", axes=[0, 2, 3], keepdims=0), node("BatchNormalization", "h p b m v", "y")]
    for made in ([trains], [gives], computed):
        model = graph(*made[:-1], conv, made[-1], constants=constants)
        model.opset_import[0].version = 15
        assert "BatchNormalization" in [each.op_type for each in prepare(model).nodes]


def test_an_output_that_is_a_constant_or_the_input_stays():
    model = graph(node("Identity", "k", "fixed"), node("Identity", "x", "same"), node("Relu", "x", "y"),
                  constants=[("k", np.array([1, 2], np.float32))])  # fmt: skip
    for name in ("fixed", "same"):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    image = np.ones((1, 2, 4, 4), np.float32)
    expected, found = outputs(model, image), outputs(prepare(model).model, image)
    assert all(np.array_equal(one, other) for one, other in zip(expected, found))
