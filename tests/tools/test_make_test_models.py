"""The models in tests/data are what their tool makes, bit for bit, so that nobody has to trust a binary file."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.models import FLOAT, MODELS, PICTURES

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import make_test_models as tool


@pytest.mark.parametrize("path", FLOAT, ids=lambda path: path.stem)
def test_models(path: Path) -> None:
    there, made = onnx.load(path), tool.make(path.stem)
    assert list(there.graph.node) == list(made.graph.node) and there.metadata_props == made.metadata_props
    assert [list(value) for value in (there.graph.input, there.graph.output)] == [
        list(value) for value in (made.graph.input, made.graph.output)
    ]
    assert len(there.graph.initializer) == len(made.graph.initializer)
    for kept, now in zip(there.graph.initializer, made.graph.initializer):
        assert kept.name == now.name
        np.testing.assert_array_equal(numpy_helper.to_array(kept), numpy_helper.to_array(now))


def test_pictures_and_nothing_else() -> None:
    for number, path in enumerate(PICTURES):
        np.testing.assert_array_equal(cv2.imread(str(path)), tool.picture(number))
    assert len(PICTURES) == 3
    names = [*tool.MODELS, *(f"{family}_int8" for family in tool.IN_INT8)]
    assert sorted(path.stem for path in MODELS.iterdir()) == sorted(names)
