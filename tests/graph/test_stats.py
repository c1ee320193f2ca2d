"""Published totals, digit for digit."""

from __future__ import annotations

import onnx
import pytest

from edge_runtime import zoo
from edge_runtime.graph import stats
from edge_runtime.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx


def whole(name: str, preset=None) -> stats.Stats:
    return stats.total(stats.layers(zoo.build(name, VOC, 416, preset)))


def test_yolo_nano_is_salvi_et_als():
    count = whole("yolo_nano")
    assert count.weights + count.bn // 2 == 2_873_026, "Table I; their prunable parameters include the BN gammas"
    assert count.parameters == 2_890_527 and count.thop_macs == 2_082_423_381, "their repository's README"
    assert count.weights == 2_855_750


def test_the_paper_budget_meets_the_paper():
    count = whole("yolo_nano", "paper_budget")
    assert count.weights == 4_000_934 and count.ops / 1e9 == pytest.approx(4.579, abs=5e-4)


@pytest.mark.parametrize(
    "name, parameters, macs", [("tiny_yolo_v3", 8_707_248, 2_753_665_551), ("yolo_v3", 61_573_216, 32_829_119_167)]
)
def test_darknet_networks_are_salvi_et_als(name, parameters, macs):
    count = whole(name)
    assert (count.weights, count.thop_macs) == (parameters, macs)


def test_tiny_yolo_v2_is_the_nano_papers():
    count = whole("tiny_yolo_v2")
    assert round(count.ops / 1e9, 3) == 6.971 and count.weights == 15_855_536
    assert round((count.parameters + count.bn) * 4 / 2**20, 2) == 60.53, "the weights file also holds mean and variance"


def test_the_onnx_file_has_the_tables_convolutions():
    architecture = zoo.build("yolo_nano", VOC, 416)
    model = to_onnx(architecture, weights.random(architecture))
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    counts = [sizes[node.input[1]][0] * sizes[node.input[1]][1] * sizes[node.input[1]][2] ** 2 for node in convs]
    assert len(convs) == 122 and sum(counts) == 2_855_750
    assert {node.op_type for node in model.graph.node} == {
        "Conv", "Clip", "Add", "Resize", "Concat", "GlobalAveragePool", "Sigmoid", "Mul",
    }  # fmt: skip
    onnx.checker.check_model(model, full_check=True)


def test_the_command(capsys):
    assert stats.main(["yolo_nano"]) == 0
    assert "2,082,423,381" in capsys.readouterr().out
    assert stats.main(["yolo_mega"]) == 1 and "hint: " in capsys.readouterr().err
