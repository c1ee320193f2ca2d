"""A model read with a wrong preparation is suspected, with the figures of both; one read rightly is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Tuple

import numpy as np
import pytest

from edge_runtime import datasets, plugins
from edge_runtime.datasets import Dataset
from edge_runtime.detect import understand
from edge_runtime.detect.understand import Model
from edge_runtime.identify import misread
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Truth
from tests.models import MODELS, PICTURES

pytest.importorskip("pycocotools")
pytest.importorskip("onnxruntime")
ENGINE = Path(__file__).resolve().parents[2] / "engines" / "yolo_nano_voc.onnx"
COUNT = 16


def read(path: Path, flags: ModelFlags) -> Tuple[str, Model]:
    return str(path), understand.describe(str(path), plugins.load_member("backends", "onnxruntime").read_io, flags)


@pytest.fixture(scope="module")
def pictures(shared: Path) -> Dataset:
    data = datasets.open(str(shared / "data" / "voc2007"), "calib")
    return replace(data, paths=data.paths[:COUNT], truths=data.truths[:COUNT])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (ModelFlags(), ""),
        (ModelFlags(mean=(0.0,) * 3, std=(1.0,) * 3), "scale 0..1"),
        (ModelFlags(mean=(0.0,) * 3, std=(65025.0,) * 3), "scale 0..1"),
    ],
)
def test_yolo_nano(flags: ModelFlags, words: str, pictures: Dataset) -> None:
    found = misread.suspicion(*read(ENGINE, flags), pictures, 1)
    assert (found is None) == (not words)
    if found is not None:
        assert words in found.words and found.other > misread.CLEARLY * found.own and found.pictures <= COUNT
        assert f"{found.own:.3f} as it is read, and {found.other:.3f} with {found.words}" in str(found)


def test_few_objects_are_no_ground_for_a_suspicion() -> None:
    truth = Truth(np.array([[10.0, 10, 60, 60]]), np.zeros(1, np.int64), np.zeros(1, bool))
    ignored = replace(truth, difficult=np.ones(1, bool))
    data = Dataset("few", (str(PICTURES[0]),) * 20, (truth,) * 9 + (ignored,) * 11, ())
    assert misread.suspicion(*read(MODELS / "yolo_v8.onnx", ModelFlags()), data, 1) is None
