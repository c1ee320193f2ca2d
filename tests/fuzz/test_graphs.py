"""Random networks are quantised within the error of an independent reference; the judge sees what is broken."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Callable, List

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("edge_runtime.native._core", reason="needs the extension: pip install -e .")
from fuzzing import networks  # noqa: E402
from fuzzing.graphs import draw, evaluate, judge, reference  # noqa: E402

from edge_runtime.calibrate import Calibrated  # noqa: E402

# Versions before have fewer 8-bit kernels, for example of Resize. There edge-calibrate refuses what does not open.
NEW = tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) >= (1, 30)


@pytest.mark.skipif(not NEW, reason="tried with onnxruntime 1.32")
@pytest.mark.parametrize(("method", "count", "seed"), [("minmax", 38, 7), ("auto", 12, 8)])
def test_every_network_is_quantised_or_refused(method: str, count: int, seed: int) -> None:
    found, faults = networks.run_all(method, count, seed)
    assert not faults, "\n\n".join(f"network {number} of seed {seed}: {reason}" for number, reason in faults)
    assert found["quantised"] > 0.8 * count, found["reasons"]
    assert found["layers with weights"] > 3 * found["of them named as float"], "most layers are in 8 bits"


@pytest.fixture(scope="module")
def drawn_networks() -> List[draw.Drawn]:
    return [draw.draw(number, seed=3) for number in range(150)]


def test_every_kind_is_drawn(drawn_networks) -> None:
    ops = Counter(node.op_type for drawn in drawn_networks for node in drawn.model.graph.node)
    wanted = """Conv ConvTranspose Gemm MatMul BatchNormalization MaxPool AveragePool Split Concat Slice Pad Resize
        Reshape Shape Gather Unsqueeze Transpose ReduceMean Softmax Add Mul Sub Div Where Cast Identity Constant
        ConstantOfShape If Loop Clip LeakyRelu PRelu Sigmoid HardSigmoid Erf MaxUnpool Dropout""".split()
    assert not [op for op in wanted if op not in ops]
    kinds = {tensor.data_type for drawn in drawn_networks for tensor in drawn.model.graph.initializer}
    assert kinds >= {getattr(onnx.TensorProto, kind) for kind in ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16", "INT64")}
    assert {drawn.feeds[0].dtype.name for drawn in drawn_networks} == {"float32", "float16", "uint8"}
    assert len({drawn.model.opset_import[0].version for drawn in drawn_networks}) > 5
    assert all({True, False} == {read(drawn) for drawn in drawn_networks} for read in WHOLE.values())


WHOLE = {
    "external": lambda drawn: drawn.external,
    "half": lambda drawn: drawn.half,
    "batch": lambda drawn: len(drawn.feeds[0]) > 1,
    "others": lambda drawn: bool(drawn.others),
    "last": lambda drawn: drawn.feeds[0].shape[-1] == 3,
    "unnamed": lambda drawn: all(not node.name for node in drawn.model.graph.node),
    "doubled": lambda drawn: max(Counter(n.name for n in drawn.model.graph.node if n.name).values(), default=0) > 1,
    "inputs too": lambda drawn: len(drawn.model.graph.input) > 1 + len(drawn.others),
    "open": lambda drawn: any(dim.dim_param for dim in drawn.model.graph.input[0].type.tensor_type.shape.dim),
}  # fmt: skip


def test_a_number_gives_one_network(drawn_networks) -> None:
    again = draw.draw(11, seed=3)
    assert again.model.SerializeToString() == drawn_networks[11].model.SerializeToString()
    assert again.feeds[0].tobytes() == drawn_networks[11].feeds[0].tobytes()
    assert draw.draw(11, seed=4).model.SerializeToString() != again.model.SerializeToString()


def model_of(nodes, given, made, constants) -> onnx.ModelProto:
    """A model with the input `images` and the output `z`, of these shapes."""
    infos = [helper.make_tensor_value_info(name, 1, shape) for name, shape in (("images", given), ("z", made))]
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "plain", infos[:1], infos[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def plain_network() -> draw.Drawn:
    """Two convolutions with biases and a Relu between them."""
    numbers = np.random.default_rng(0)
    constants = {
        "w": numbers.normal(0, 0.3, (8, 3, 3, 3)), "b": numbers.normal(0, 1, 8),
        "v": numbers.normal(0, 0.2, (5, 8, 1, 1)), "c": numbers.normal(0, 1, 5),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["images", "w", "b"], ["x"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["x"], ["y"], name="relu"),
        helper.make_node("Conv", ["y", "v", "c"], ["z"], name="second"),
    ]
    model = model_of(nodes, [1, 3, 32, 32], [1, 5, 32, 32], {k: v.astype(np.float32) for k, v in constants.items()})
    pictures = [numbers.integers(0, 255, (32, 32, 3)).astype(np.uint8) for _ in range(3)]
    feeds = [np.ascontiguousarray((p / np.float32(255)).transpose(2, 0, 1)[None], np.float32) for p in pictures]
    return draw.Drawn(model, (32, 32), pictures, feeds, {}, False, False)


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> Calibrated:
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    plain_network().save(path)
    return judge.quantised(plain_network(), path, "minmax")


def constants_of(model: onnx.ModelProto):
    return {tensor.name: tensor for tensor in model.graph.initializer}


def changed(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = constants_of(model)[name]
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), name))


def of_kind(model: onnx.ModelProto, op: str, place: int):
    return [node for node in model.graph.node if node.op_type == op][place]


def wider(model: onnx.ModelProto) -> None:
    changed(model, of_kind(model, "QuantizeLinear", 1).input[1], lambda step: step * np.float32(12))


def clipped(model: onnx.ModelProto) -> None:
    changed(model, of_kind(model, "QuantizeLinear", 1).input[1], lambda step: step / np.float32(4))


def without_bias(model: onnx.ModelProto) -> None:
    conv = of_kind(model, "Conv", 1)
    conv.input.pop()


def one_filter(model: onnx.ModelProto) -> None:
    """The scale of one filter is ten times too large."""
    weights = next(n for n in model.graph.node if n.output[0] == of_kind(model, "Conv", 1).input[1])
    changed(
        model, weights.input[1], lambda steps: steps * np.where(np.arange(len(steps)) == 2, 10, 1).astype(np.float32)
    )


def float_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer.extend(t for t in plain_network().model.graph.initializer if t.name == "v")
    of_kind(model, "Conv", 1).input[1] = "v"


def float_input(model: onnx.ModelProto) -> None:
    of_kind(model, "Conv", 0).input[0] = "images"


def another_output(model: onnx.ModelProto) -> None:
    name = of_kind(model, "QuantizeLinear", 1).input[0]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(name, 1, [1, 8, 32, 32]))


def not_onnx(model: onnx.ModelProto) -> None:
    of_kind(model, "Conv", 0).input[0] = "nowhere"


BROKEN = {wider: "error, ratio", clipped: "error, ratio", without_bias: "error, ratio", one_filter: "error, ratio",
          float_weights: "silent float: 1 of 2", float_input: "silent float: 1 of 2", another_output: "outputs",
          not_onnx: "invalid"}  # fmt: skip


def test_the_plain_network_is_right(right) -> None:
    figures = {}
    judge.examine(plain_network(), right, figures)
    assert figures["weighted"] == 2 and figures["named"] == 0
    assert 0.05 < figures["ratio"] < 2, "as large as the reference's error"


@pytest.mark.parametrize("breaking", BROKEN, ids=lambda breaking: breaking.__name__)
def test_a_broken_file_is_a_fault(right, breaking) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(right.model)
    breaking(model)
    with pytest.raises(judge.Fault, match=BROKEN[breaking]):
        judge.examine(plain_network(), replace(right, model=model), {})


def test_the_reference_is_what_numpy_computes() -> None:
    """One multiplication of two features, rounded by hand."""
    node = helper.make_node("MatMul", ["images", "w"], ["z"])
    weight = np.array([[0.5, -1.0], [0.26, 3.0]], np.float32)
    model = model_of([node], [1, 2], [1, 2], {"w": weight})
    feeds = [np.array([[-1.0, 0.3333]], np.float32), np.array([[0.5, 4.1]], np.float32)]
    found = reference.fake_quantised(model, feeds, {})[0]
    step, steps = 5.1 / 255, np.array([0.5, 3.0]) / 127  # from -1 to 4.1; the largest weight of each column
    for feed, values in zip(feeds, found):
        rounded = np.round(feed / step) * step
        np.testing.assert_allclose(values["z"], rounded @ (np.round(weight / steps) * steps), rtol=1e-5)


def test_literal_rounding() -> None:
    """Halves go to the even number, what is out of range to its end; weights have a scale for each channel."""
    constants = {"s": np.array(0.5, np.float32), "zero": np.array(10, np.uint8), "w": np.array([[2, -4]], np.int8),
                 "ws": np.array([0.25, 0.5], np.float32), "wz": np.zeros(2, np.int8)}  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["images", "s", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "zero"], ["x"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["d"], axis=1),
        helper.make_node("Mul", ["x", "d"], ["z"]),
    ]
    model = model_of(nodes, [3, 2], [3, 2], constants)
    feed = np.array([[0.25, 0.75], [-9.0, 200.0], [1.1, -0.3]], np.float32)
    found = reference.Literal(model).run(feed)["z"]
    np.testing.assert_array_equal(found, [[0.0, -2.0], [-2.5, -245.0], [0.5, 1.0]])
    np.testing.assert_array_equal(found, evaluate.whole(model, [feed])[0]["z"])
