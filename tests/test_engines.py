"""Every shipped model keeps its word: it opens alone, its recipe agrees, and its accuracy can be had again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_runtime import datasets
from edge_runtime.accuracy import evaluate
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.model import recipe
from edge_runtime.sources import open as open_source

ENGINES = sorted((Path(__file__).resolve().parents[1] / "engines").glob("*.onnx"))
each = pytest.mark.parametrize("path", ENGINES, ids=lambda path: path.stem)


def metadata(path: Path):
    return {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}


def detector(path: Path, **thresholds) -> Detector:
    return Detector.open(str(path), options=BackendOptions(backend="onnxruntime"), **thresholds)


def test_there_are_some():
    assert ENGINES


@each
def test_it_says_everything_itself(path):
    about = metadata(path)
    assert {"training", "measured", "license"} <= set(about)
    said = recipe.load_recipe(str(path.with_suffix(".toml")))
    with detector(path) as opened:
        spec = opened.model.spec
        assert not opened.model.notes, "nothing had to be assumed"
    assert (said.family, said.imgsz, said.resize) == (spec.family, spec.input_wh, spec.resize)
    assert np.array_equal(np.ravel(said.anchors or ()), np.ravel(spec.anchors))


@each
def test_measured_accuracy(path, shared):
    """On the committed file, 400 photographs; the last digits move with the library's arithmetic."""
    pytest.importorskip("pycocotools")
    stated = json.loads(metadata(path)["measured"])
    thresholds = {"conf": stated["conf"], "iou": stated["iou"], "multi_label": True, "max_det": 300}
    with detector(path, **thresholds) as opened:
        result = evaluate.evaluate(opened, datasets.open(str(shared / "data" / "voc2007"), "eval"))
    assert len(result.found.truths) == stated["images"]
    assert result.voc07_11pt == pytest.approx(stated["voc07_11pt"], abs=0.003)
    assert result.coco_101["AP"] == pytest.approx(stated["coco_101"]["AP"], abs=0.003)


@each
def test_the_demo_shows_what_it_should(path):
    source, seen = open_source("demo"), set()
    with detector(path, conf=0.25) as opened:
        for number in range(source.frame_count or 0):
            frame = source.read()
            if frame is None:
                break
            if number % 30 == 0:
                found = opened(frame.image)
                seen |= {found.label(i) for i in range(len(found))}
    assert {"person", "cat"} <= seen
