"""Two graphs: the layer that was changed is named, also behind others, in float16, and where no names are left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.audit import layers
from edge_runtime.audit.graphs import Graph
from edge_runtime.graph.float32_kinds import LARGEST
from edge_runtime.model import onnx_file
from tests.models import MODELS

pytest.importorskip("onnxruntime")
PICTURE = np.random.default_rng(0).random((3, 16, 16)).astype(np.float32)
DEPTH = 4


def network(path: Path, changed: int = -1, factor: float = 1.0, large: Optional[int] = None) -> onnx.ModelProto:
    """A chain of convolutions and Relus. One may have other weights, or too large values behind it."""
    draw = np.random.default_rng(1)
    nodes, constants, last = [], [], "images"
    for number in range(DEPTH):
        weight = draw.normal(0, 0.4, (4, 3 if number == 0 else 4, 3, 3)).astype(np.float32)
        scale = np.float32(1e6 if number == large else factor if number == changed else 1)
        constants.append(numpy_helper.from_array(weight * scale, f"w{number}"))
        nodes.append(helper.make_node("Conv", [last, f"w{number}"], [f"conv{number}"], pads=[1, 1, 1, 1]))
        last = f"conv{number}"
        if number == large:
            constants.append(numpy_helper.from_array(np.float32(1e-6), "small"))
            nodes.append(helper.make_node("Mul", [last, "small"], ["smaller"]))
            last = "smaller"
        nodes.append(helper.make_node("Relu", [last], [f"relu{number}"]))
        last = f"relu{number}"
    ends = [helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 4, 16, 16])]
    given = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 16, 16])]
    graph = helper.make_graph(nodes, "chain", given, ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return model


def renamed(model: onnx.ModelProto, path: Path) -> None:
    """The same with other names of all tensors between input and output."""
    kept = {"images", *(value.name for value in model.graph.output)}
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = name if name in kept else f"t_{name}"
    for tensor in model.graph.initializer:
        tensor.name = f"t_{tensor.name}"
    onnx.save(model, str(path))


def halved(model: onnx.ModelProto, path: Path) -> None:
    """The same in float16, input and output too."""
    for tensor in model.graph.initializer:
        with np.errstate(over="ignore"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(model, str(path))


def graph(path: Path) -> Graph:
    return Graph(str(path), onnx_file.read_io(str(path)))


def compared(one: Path, two: Path, picture: Any = PICTURE) -> layers.Layers:
    return layers.compare(graph(one), graph(two), [picture])


@pytest.fixture
def one(tmp_path: Path) -> Path:
    network(tmp_path / "one.onnx")
    return tmp_path / "one.onnx"


def test_a_file_and_itself(one: Path) -> None:
    found = compared(one, one)
    assert found.first is None and found.weighted == (DEPTH, DEPTH) and len(found.layers) == 2 * DEPTH


@pytest.mark.parametrize("changed", range(DEPTH))
def test_the_changed_layer_is_named(one: Path, tmp_path: Path, changed: int) -> None:
    network(tmp_path / "two.onnx", changed, 1.1)
    found = compared(one, tmp_path / "two.onnx")
    assert found.first is not None and found.first.name == f"conv{changed}"
    assert found.first.own_db == pytest.approx(20.0, abs=0.01), "a tenth more is 20 dB"
    assert [each.name for each in found.layers if each.own_db < found.floor] == [f"conv{changed}"], "only this one"


def test_layers_without_names_are_found_by_their_place(one: Path, tmp_path: Path) -> None:
    renamed(network(tmp_path / "two.onnx", 2, 1.1), tmp_path / "two.onnx")
    found = compared(one, tmp_path / "two.onnx")
    assert found.first is not None and (found.first.name, found.first.other) == ("conv2", "t_conv2")


def test_float16_explains_a_little(one: Path, tmp_path: Path) -> None:
    halved(network(tmp_path / "two.onnx"), tmp_path / "two.onnx")
    found = compared(one, tmp_path / "two.onnx")
    assert found.precision == "fp16" and found.first is None
    assert max(each.own_db for each in found.layers) < 100, "it is not equal"


def test_an_overflow_is_named(tmp_path: Path) -> None:
    model = network(tmp_path / "one.onnx", large=2)
    halved(model, tmp_path / "two.onnx")
    found = compared(tmp_path / "one.onnx", tmp_path / "two.onnx")
    assert found.first is not None and found.first.name == "conv2" and found.first.broken > 0
    assert found.first.largest > LARGEST
    said = layers.overflow(graph(tmp_path / "one.onnx"), PICTURE)
    assert said is not None and said[:2] == ("conv2", "Conv")


def test_a_scale_at_another_place_is_no_fault(one: Path, tmp_path: Path) -> None:
    """One file doubles before a Relu and halves behind it; its Relu is unlike, and all that follows is like again."""
    model = onnx.load(str(one))
    model.graph.initializer.extend([numpy_helper.from_array(np.float32(4), "four")])
    model.graph.initializer.extend([numpy_helper.from_array(np.float32(0.25), "quarter")])
    relu = next(node for node in model.graph.node if node.output[0] == "relu1")
    after = next(node for node in model.graph.node if "relu1" in node.input)
    place = list(model.graph.node).index(relu)
    relu.input[0], after.input[0] = "more", "less"
    model.graph.node.insert(place, helper.make_node("Mul", ["conv1", "four"], ["more"]))
    model.graph.node.insert(place + 2, helper.make_node("Mul", ["relu1", "quarter"], ["less"]))
    onnx.save(model, str(tmp_path / "two.onnx"))
    found = compared(one, tmp_path / "two.onnx")
    assert found.first is None and "relu1" not in {each.name for each in found.layers}


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_a_folded_normalisation_is_no_fault(factor: float, tmp_path: Path) -> None:
    """One file has a BatchNormalization, the other has it in its weights, and keeps the name of the convolution."""
    model = network(tmp_path / "one.onnx")
    scale = np.array([2.0, 0.5, 1.0, 3.0], np.float32)
    parts = {"scale": scale, "bias": np.zeros(4), "mean": np.zeros(4), "var": np.ones(4)}
    model.graph.initializer.extend(numpy_helper.from_array(np.float32(v), k) for k, v in parts.items())
    relu = next(node for node in model.graph.node if node.output[0] == "relu1")
    relu.input[0] = "normal"
    place = list(model.graph.node).index(relu)
    node = helper.make_node("BatchNormalization", ["conv1", *parts], ["normal"], epsilon=0.0)
    model.graph.node.insert(place, node)
    onnx.save(model, str(tmp_path / "one.onnx"))
    folded = network(tmp_path / "two.onnx")
    weight = next(tensor for tensor in folded.graph.initializer if tensor.name == "w1")
    changed = numpy_helper.to_array(weight) * scale[:, None, None, None] * np.float32(factor)
    weight.CopyFrom(numpy_helper.from_array(changed, "w1"))
    onnx.save(folded, str(tmp_path / "two.onnx"))
    for pair in (("one", "two"), ("two", "one")):
        found = compared(*(tmp_path / f"{name}.onnx" for name in pair))
        assert found.weighted == (DEPTH, DEPTH)
        assert (found.first is None) == (factor == 1.0), found.first
        assert found.first is None or {found.first.name, found.first.other} == {"conv1", "normal"}


@pytest.mark.parametrize("name", ["yolo_v3", "nanodet"])
def test_int8_explains_its_error_and_no_broken_scale(name: str, tmp_path: Path) -> None:
    whole, rounded = MODELS / f"{name}.onnx", MODELS / f"{name}_int8.onnx"
    picture = np.random.default_rng(2).random((3, 128, 128)).astype(np.float32)
    found = compared(whole, rounded, picture)
    assert found.precision == "int8" and found.first is None, found.first
    model = onnx.load(str(rounded))
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    made = {output: node for node in model.graph.node for output in node.output}
    weight = next(t for t in model.graph.initializer if t.name == made[convs[1].input[1]].input[1])
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.6), weight.name))
    onnx.save(model, str(tmp_path / "broken.onnx"))
    found = compared(whole, tmp_path / "broken.onnx", picture)
    assert found.first is not None and found.first.name == convs[1].output[0]
