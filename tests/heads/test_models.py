"""A small model of every family, from its file to its boxes: opened, recognised, decoded twice, in INT8 too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime import heads, plugins
from edge_runtime.backends import BackendOptions
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.detect.detector import Detector
from edge_runtime.graph.prepare import state
from edge_runtime.model.onnx_file import load_onnx, read_io
from edge_runtime.model.spec import METADATA_KEY, RANGES_KEY, ModelSpec
from edge_runtime.model.thresholds import Thresholds
from tests.models import FLOAT, INT8, MODELS, PICTURES
from tests.scenes import assert_same

pytest.importorskip("onnxruntime")
every = pytest.mark.parametrize("path", [*FLOAT, *INT8], ids=lambda path: path.stem)
LIMITS = Thresholds(conf=0.1, iou=1.0, max_det=5000, multi_label=False)


def spec_of(path: Path) -> ModelSpec:
    return ModelSpec.from_json(read_io(str(path)).metadata[METADATA_KEY])


def test_every_family_has_one() -> None:
    assert [path.stem for path in FLOAT] == sorted(plugins.names("heads")) and len(INT8) == 2
    assert sum(path.stat().st_size for path in MODELS.iterdir()) < 1 << 20


@every
def test_the_shapes_alone_tell_the_family(path: Path) -> None:
    io, spec = read_io(str(path)), spec_of(path)
    first = {"yolo_v6": "yolox", "ultraface_raw": "ssd"}.get(spec.family)
    if first:
        assert heads.fitting(io, 7)[:2] == [first, spec.family], "values tell them apart"
        return
    assert path.stem.startswith(heads.fitting(io, len(spec.labels))[0]) and spec.family == heads.fitting(io, 7)[0]


@every
def test_the_native_decoder_finds_what_the_numpy_decode_finds(path: Path) -> None:
    spec = spec_of(path)
    with Detector.open(path, options=BackendOptions(thresholds=LIMITS, threads=1)) as detector:
        image = np.random.default_rng(0).integers(0, 256, (*reversed(spec.input_wh), 3), np.uint8)
        found = detector(image)  # as large as the input: placed as it is
        outputs = [output[0] for output in detector.backend.outputs(0)]
        boxes, scores = heads.load_head(spec.family).decode(outputs, spec)
    want = np.column_stack([boxes, scores.max(axis=1), scores.argmax(axis=1)])[scores.max(axis=1) > LIMITS.conf]
    want[:, :4] = want[:, :4].clip(0, spec.input_wh * 2)
    want = want[(want[:, 2] > want[:, 0]) & (want[:, 3] > want[:, 1])]
    got = np.column_stack([found.xyxy, found.confidence, found.class_id])
    assert len(want) > 3
    assert_same([got], [want])


@every
def test_it_says_itself_how_it_wants_its_pictures(path: Path) -> None:
    with Detector.open(path, threads=1, conf=0.3) as detector:
        assert detector.model.spec == spec_of(path) and detector.model.spec.labels[3] == "dog"
        one, many = detector(PICTURES[0]), detector(PICTURES)
    assert one == many[0] and all(found.image_wh == (128, 96) for found in many)


@pytest.mark.parametrize("path", INT8, ids=lambda path: path.stem)
def test_int8_stays_near_its_float_model(path: Path) -> None:
    float_path = MODELS / path.name.replace("_int8", "")
    model, metadata = load_onnx(str(path)), read_io(str(path)).metadata
    assert state(model) == "quantised" and state(load_onnx(str(float_path))) == "float"
    assert len(RangeTable.from_json(metadata[RANGES_KEY]).ranges) > 4
    outputs = []
    for each in (path, float_path):
        with Detector.open(each, threads=1) as detector:
            detector(PICTURES[0])
            outputs.append([output.copy() for output in detector.backend.outputs(0)])
    for rounded, exact in zip(*outputs):
        error = rounded.astype(np.float64) - exact
        assert 0 < np.sqrt(np.mean(error**2)) < 0.1 * np.std(exact)
