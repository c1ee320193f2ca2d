"""Exported LeYOLO, LeNeck and SSDLite are read right: their boxes are those of the papers' formulas, cell by cell."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest

from edge_runtime import heads, zoo
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.model.onnx_file import read_io
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.zoo.__main__ import main
from tests.scenes import assert_same

pytest.importorskip("onnxruntime")
SIDE = 96
FAMILIES = {"leyolo": "yolo_v8", "leneck": "yolo_v8", "ssdlite": "ssd"}
LIMITS = Thresholds(conf=0.3, iou=1.0, max_det=5000, multi_label=False)
every = pytest.mark.parametrize("name", FAMILIES)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    for name in FAMILIES:
        assert main([name, "-o", str(folder / f"{name}.onnx"), "--imgsz", str(SIDE), "--seed", "1"]) == 0
    return folder


def softmax(values):
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def distances(outputs):
    """Boxes and scores of raw maps: each side is the mean of a distribution over 16 distances, in cells."""
    rows = []
    for values in outputs:
        stride = SIDE // values.shape[1]
        for y, x in np.ndindex(values.shape[1:]):
            cell = values[:, y, x].astype(float)
            left, top, right, bottom = (
                sum(i * p for i, p in enumerate(softmax(cell[16 * side : 16 * side + 16]))) for side in range(4)
            )
            box = [(x + 0.5 - left) * stride, (y + 0.5 - top) * stride, (x + 0.5 + right) * stride,
                   (y + 0.5 + bottom) * stride]  # fmt: skip
            rows.append((box, [0.5 + 0.5 * math.tanh(value / 2) for value in cell[64:]]))  # the sigmoid
    return rows


def shapes_of_a_cell(level):
    """(width, height) of the six priors, fractions of the picture: scales 0.2 to 0.95, ratios 1, 1, 2, 1/2, 3, 1/3."""
    scales = [0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0]
    scale, between = scales[level], math.sqrt(scales[level] * scales[level + 1])
    wide = [(scale * math.sqrt(ratio), scale / math.sqrt(ratio)) for ratio in (2, 1 / 2, 3, 1 / 3)]
    return [(min(w, 1.0), min(h, 1.0)) for w, h in [(scale, scale), (between, between), *wide]]


def priors(outputs):
    """Boxes and scores relative to priors, with the variances 0.1 and 0.2; class 0 is the background."""
    deltas, logits = outputs
    rows, cells = [], [math.ceil(SIDE / 2**power) for power in range(4, 10)]
    for level, count in enumerate(cells):
        for y, x in np.ndindex(count, count):
            for w, h in shapes_of_a_cell(level):
                dx, dy, dw, dh = deltas[len(rows)].astype(float)
                cx, cy = (x + 0.5) / count + 0.1 * dx * w, (y + 0.5) / count + 0.1 * dy * h
                w, h = (side * math.exp(min(0.2 * d, math.log(1000 / 16))) for side, d in ((w, dw), (h, dh)))
                box = [SIDE * value for value in (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)]
                rows.append((box, softmax(logits[len(rows)].astype(float))[1:]))
    assert len(rows) == len(deltas)
    return rows


def kept(rows):
    """(n, 6) rows as a Detector gives them: the best class of each box, cut at the picture."""
    best = [[*np.clip(box, 0, SIDE), max(scores), scores.index(max(scores))] for box, scores in rows]
    return np.array([r for r in best if r[4] > LIMITS.conf and r[2] > r[0] and r[3] > r[1]], np.float32)


@every
def test_boxes_are_those_of_the_formulas(files, name):
    with Detector.open(files / f"{name}.onnx", options=BackendOptions(thresholds=LIMITS, threads=1)) as detector:
        found = detector(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
        outputs = [output[0] for output in detector.backend.outputs(0)]
    want = kept((priors if name == "ssdlite" else distances)(outputs))
    assert len(want) > 10
    assert_same([np.column_stack([found.xyxy, found.confidence, found.class_id])], [want])


@every
def test_the_file_says_what_it_is_and_its_shapes_say_it_too(files, name):
    with Detector.open(files / f"{name}.onnx", threads=1) as detector:
        assert detector.model.spec == zoo.build(name, imgsz=SIDE).spec and detector.model.notes == ()
    assert heads.fitting(read_io(str(files / f"{name}.onnx")), 20)[0] == FAMILIES[name]


def test_a_batch_of_two_is_two_pictures(files, tmp_path):
    """Rows of a batch do not mix: "rows" keeps the batch axis."""
    import onnxruntime

    model = onnx.load(files / "ssdlite.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pictures = np.random.default_rng(1).uniform(-1, 1, (2, 3, SIDE, SIDE)).astype(np.float32)
    both = session.run(None, {"images": pictures})
    for number in range(2):
        for one, of_both in zip(session.run(None, {"images": pictures[number : number + 1]}), both):
            np.testing.assert_allclose(one[0], of_both[number], rtol=1e-3, atol=1e-3)
