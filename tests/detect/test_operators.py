"""Where the values of one run leave doubt, what the graph computes last decides."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import numpy as np
import pytest

from edge_runtime.cli import detect
from edge_runtime.detect import evidence
from edge_runtime.detect.operators import odd_operators
from edge_runtime.detect.understand import understand
from edge_runtime.errors import ModelError
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import ModelIO
from tests.models import MODELS

Made = Dict[str, Tuple[str, ...]]
ROWS, COLUMNS = {"out": (1, 8400, 85)}, {"out": (1, 84, 8400)}
PAIR = {"boxes": (1, 300, 4), "scores": (1, 300, 91)}
MAPS = {f"p{s}": (1, 255, s, s) for s in (80, 40, 20)}
CASES: Dict[str, Tuple[Dict[str, Tuple[int, ...]], str, Tuple[str, ...], Made, Optional[str]]] = {
    "YOLOX, raw": (ROWS, "yolox", (), {"out": ("Conv", "Sigmoid") * 3}, None),
    "YOLOX taken for YOLOv6": (ROWS, "yolo_v6", (), {"out": ("Conv", "Sigmoid") * 3}, "straight from Conv"),
    "YOLOv6": (ROWS, "yolo_v6", (), {"out": ("Mul", "ConstantOfShape", "Sigmoid")}, None),
    "YOLOv8": (COLUMNS, "yolo_v8", (), {"out": ("Mul", "Sigmoid")}, None),
    "YOLOv8 without its sigmoid": (COLUMNS, "yolo_v8", (), {"out": ("Mul", "Conv")}, "would not be activated"),
    "YOLOv8 with an angle": (COLUMNS, "yolo_v8", (), {"out": ("Mul", "Sigmoid", "Mul")}, "the last of its classes"),
    "YOLOv8 with keypoints": (COLUMNS, "yolo_v8", ("extra",), {"out": ("Mul", "Sigmoid", "Mul")}, None),
    "raw maps": (MAPS, "yolo_v3", (), dict.fromkeys(MAPS, ("Conv",)), None),
    "activated maps": (MAPS, "yolo_v3", (), dict.fromkeys(MAPS, ("Sigmoid",)), "activated a second time"),
    "RF-DETR": (PAIR, "dense", ("sigmoid",), {"boxes": ("Sigmoid",), "scores": ("MatMul",)}, None),
    "RF-DETR, not activated": (PAIR, "dense", (), {"boxes": ("Sigmoid",), "scores": ("Gemm",)}, "not be activated"),
    "RT-DETR": (PAIR, "dense", (), {"boxes": ("Sigmoid",), "scores": ("Sigmoid",)}, None),
    "RT-DETR, twice": (PAIR, "dense", ("softmax",), {"boxes": ("Mul",), "scores": ("Softmax",)}, "a second time"),
    "the best of TopK": (PAIR, "dense", (), {"boxes": ("Mul",), "scores": ("TopK",)}, "finished boxes"),
    "YOLOv10": ({"out": (1, 300, 6)}, "yolo_v10", (), {"out": ("Mul", "Sigmoid", "TopK", "Mod")}, None),
    "an unknown graph": (COLUMNS, "yolo_v8", (), {}, None),
}


@pytest.mark.parametrize(("outputs", "family", "layout", "made", "said"), CASES.values(), ids=CASES.keys())
def test_operators_speak_against_a_family(
    outputs: Dict[str, Tuple[int, ...]], family: str, layout: Tuple[str, ...], made: Made, said: Optional[str]
) -> None:
    io = ModelIO("images", (1, 3, 640, 640), outputs, produced_by=made)
    labels = ("a",) * (29 if layout == ("extra",) else 0) or None
    model = understand("m.onnx", io, ModelFlags(family=family, head_layout=layout, labels=labels))
    reason = odd_operators(model, False)
    assert (reason is None) == (said is None) and (said or "") in (reason or "")


def test_values_in_doubt_are_decided_by_the_graph() -> None:
    """All zeros contradict nothing."""

    def read(made: Made) -> str:
        model = understand("m.onnx", ModelIO("images", (1, 3, 640, 640), ROWS, produced_by=made))
        return evidence.weighed(model, [np.zeros((8400, 85), np.float32)]).spec.family

    assert read({}) == read({"out": ("Conv", "Sigmoid")}) == "yolox" and read({"out": ("Mul", "Sigmoid")}) == "yolox"
    model = understand(
        "m.onnx", ModelIO("images", (1, 3, 640, 640), MAPS, produced_by=dict.fromkeys(MAPS, ("Sigmoid",)))
    )
    with pytest.raises(ModelError, match="activated a second time"):
        evidence.weighed(model, [np.zeros(shape[1:], np.float32) for shape in MAPS.values()])


def test_verbose_says_what_was_weighed(tmp_path, capsys) -> None:
    pytest.importorskip("onnxruntime")
    name = str(MODELS / "yolo_v6.onnx")
    picture = next(MODELS.parent.glob("shapes*.png"))
    assert detect.main(["--engine", name, "--images", str(picture), "--output", str(tmp_path / "a.jsonl"), "-v"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("reading: ")]
    assert said and said[-1].startswith("reading: for yolo_v6")
    assert detect.main(["--engine", name, "--images", str(picture), "--output", str(tmp_path / "b.jsonl")]) == 0
    assert "reading: " not in capsys.readouterr().err


def test_scores_of_a_layer_without_more_that_all_lie_in_0_to_1_are_no_logits() -> None:
    io = ModelIO("images", (1, 3, 640, 640), COLUMNS, produced_by={"out": ("MatMul",)})
    model = understand("m.onnx", io, ModelFlags(family="yolo_v8"))
    assert odd_operators(model, True) is None and odd_operators(model, False)
