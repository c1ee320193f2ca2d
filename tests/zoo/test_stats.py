"""Published totals, digit for digit."""

from __future__ import annotations

import onnx
import pytest

from edge_runtime import zoo
from edge_runtime.graph import counts, onnx_stats
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import stats, weights
from edge_runtime.zoo.export import to_onnx
from tests.models import MODELS


def whole(name: str, preset=None) -> counts.Stats:
    return counts.total(stats.architecture_layers(zoo.build(name, VOC, 416, preset)))


def test_yolo_nano_is_salvi_et_als():
    found = whole("yolo_nano")
    assert found.weights + found.bn // 2 == 2_873_026, "Table I; their prunable parameters include the BN gammas"
    assert found.parameters == 2_890_527 and found.thop_macs == 2_082_423_381, "their repository's README"
    assert found.weights == 2_855_750
    leaky = whole("yolo_nano", "salvi_leaky")
    assert (leaky.weights, leaky.thop_macs) == (2_855_750, 2_098_305_681), "the same README, with leaky activations"


def test_the_paper_budget_meets_the_paper():
    found = whole("yolo_nano", "paper_budget")
    assert found.weights == 4_000_934 and found.ops / 1e9 == pytest.approx(4.579, abs=5e-4)


@pytest.mark.parametrize(
    "name, parameters, macs", [("tiny_yolo_v3", 8_707_248, 2_753_665_551), ("yolo_v3", 61_573_216, 32_829_119_167)]
)
def test_darknet_networks_are_salvi_et_als(name, parameters, macs):
    found = whole(name)
    assert (found.weights, found.thop_macs) == (parameters, macs)


def test_tiny_yolo_v2_is_the_nano_papers():
    found = whole("tiny_yolo_v2")
    assert round(found.ops / 1e9, 3) == 6.971 and found.weights == 15_855_536
    assert round((found.parameters + found.bn) * 4 / 2**20, 2) == 60.53, "the weights file also holds mean and variance"


def test_the_onnx_file_has_the_tables_convolutions():
    architecture = zoo.build("yolo_nano", VOC, 416)
    model = to_onnx(architecture, weights.random(architecture))
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    weighed = [sizes[node.input[1]][0] * sizes[node.input[1]][1] * sizes[node.input[1]][2] ** 2 for node in convs]
    assert len(convs) == 122 and sum(weighed) == 2_855_750
    assert {node.op_type for node in model.graph.node} == {
        "Conv", "Clip", "Add", "Resize", "Concat", "GlobalAveragePool", "Sigmoid", "Mul",
    }  # fmt: skip
    onnx.checker.check_model(model, full_check=True)


def test_the_command(capsys):
    assert stats.main(["yolo_nano"]) == 0
    assert "2,082,423,381" in capsys.readouterr().out
    assert stats.main(["yolo_mega"]) == 1 and "hint: " in capsys.readouterr().err


@pytest.mark.parametrize("name", zoo.names())
def test_a_file_counts_like_its_table(name):
    architecture = zoo.build(name, VOC, 64)
    table = counts.total(stats.architecture_layers(architecture))
    kept = counts.total(onnx_stats.onnx_layers(to_onnx(architecture, weights.random(architecture), keep_bn=True)))
    assert (kept.weights, kept.biases, kept.bn) == (table.weights, table.biases, table.bn)
    assert (kept.conv_macs, kept.thop_macs) == (table.conv_macs, table.thop_macs)


def test_found_files(shared):
    """Published: YOLOv8n has 3.2 M parameters and 8.7 GFLOPs at 640, YOLOv5n 1.9 M and 4.5, YOLOX-Nano 0.91 M."""
    expected = {
        "yolov8/yolov8n_640_fp32deq": (3.2, 8.7),
        "yolov5/yolov5n_640": (1.9, 4.5),
        "yolox/yolox_nano": (0.9, 1.1),
    }
    for file, (millions, gflops) in expected.items():
        found = counts.total(onnx_stats.onnx_layers(onnx.load(shared / "models" / f"{file}.onnx")))
        assert round(found.parameters / 1e6, 1) == millions and found.ops / 1e9 == pytest.approx(gflops, abs=0.1), file


def test_open_sizes_are_asked_for(capsys, tmp_path):
    model = onnx.load(MODELS / "yolo_v3.onnx")
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "side"
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "open.onnx")
    assert stats.main([str(tmp_path / "open.onnx")]) == 1 and "--imgsz" in capsys.readouterr().err
    assert stats.main([str(tmp_path / "open.onnx"), "--imgsz", "416"]) == 0


def test_names_in_a_file_are_escaped(capsys, tmp_path):
    model = onnx.load(MODELS / "yolo_v3.onnx")
    for node in model.graph.node:
        node.name = "\x1b[2J"
    onnx.save(model, tmp_path / "odd.onnx")
    assert stats.main([str(tmp_path / "odd.onnx")]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and "\\u001b[2J" in said
