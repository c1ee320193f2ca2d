"""Layers that stay in float32 where the builder has flags instead of types."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from onnx import helper

from edge_runtime.gpu import trt_precision
from tests.standins import tensorrt_api


def asked(version: str, *nodes: onnx.NodeProto) -> Any:
    """What was set for the nodes named `mul` and `cat` of a network."""
    lib = tensorrt_api.module(version)
    builder = lib.Builder(None)
    network, config = builder.create_network(1), builder.create_builder_config()
    given = [helper.make_tensor_value_info("images", 1, [1, 3, 8, 8])]
    made = [helper.make_tensor_value_info("y", 1, None)]
    lib.OnnxParser(network, None).parse(
        helper.make_model(helper.make_graph(nodes, "g", given, made)).SerializeToString()
    )
    held = trt_precision.hold_float32(lib, network, config, {"mul", "cat"})
    return held, [call for call in lib.calls if call[0] in ("set_output_type", "set_flag")]


NODES = (
    helper.make_node("Relu", ["images"], ["a"], name="relu"),
    helper.make_node("Mul", ["a", "a"], ["b"], name="mul"),
    helper.make_node("Mul", ["b", "a"], ["c"], name="mul_12"),
    helper.make_node("Mul", ["c", "a"], ["d"], name="mul_x"),
    helper.make_node("Constant", [], ["e"], name="cat", value_float=1.0),
    helper.make_node("Add", ["d", "e"], ["y"], name="add"),
)


@pytest.mark.parametrize("version", tensorrt_api.WEAK)
def test_only_what_is_named_and_computes(version):
    flag = "STRICT_TYPES" if version == "8.0" else "PREFER_PRECISION_CONSTRAINTS"
    types = [("set_output_type", (name, 0, "FLOAT", "FLOAT")) for name in ("mul", "mul_12")]
    assert asked(version, *NODES) == (2, [*types, ("set_flag", (flag,))])


def test_nothing_to_hold_sets_no_flag():
    assert asked("8.5", NODES[0], helper.make_node("Relu", ["a"], ["y"], name="other")) == (0, [])
