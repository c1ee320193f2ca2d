from __future__ import annotations

import json
from typing import Any, Dict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import SpecError
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.geometry import RESIZE_MODES
from edge_runtime.model.spec import COLORS, ModelIO, ModelSpec
from edge_runtime.model.thresholds import Thresholds

NUMBER = st.floats(-1e4, 1e4, allow_nan=False)
POSITIVE = st.floats(1e-3, 1e4, allow_nan=False)
VIEW = View(0, 0, 0, 1, 1)
LEVEL = Level((10, 1), box=VIEW, score=VIEW)


@st.composite
def model_specs(draw: Any) -> ModelSpec:
    anchors = draw(st.lists(st.lists(st.tuples(POSITIVE, POSITIVE), max_size=3).map(tuple), max_size=3).map(tuple))
    return ModelSpec(
        family=draw(st.sampled_from(["yolo_v3", "ssd"])),
        input_wh=draw(st.tuples(st.integers(1, 4096), st.integers(1, 4096))),
        labels=tuple(draw(st.lists(st.text(), max_size=4))),
        resize=draw(st.sampled_from(RESIZE_MODES)),
        pad_value=draw(st.integers(0, 255)),
        color=draw(st.sampled_from(COLORS)),
        mean=draw(st.tuples(NUMBER, NUMBER, NUMBER)),
        std=draw(st.tuples(POSITIVE, POSITIVE, POSITIVE)),
        anchors=anchors,
        strides=tuple(draw(st.lists(st.integers(1, 64), max_size=3))),
        scale_xy=tuple(draw(st.lists(POSITIVE, max_size=3))),
    )


@given(model_specs())
def test_json_brings_back_the_same_spec(spec: ModelSpec) -> None:
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_keys_of_a_newer_program_are_ignored() -> None:
    data = {**json.loads(ModelSpec("yolox", (416, 416)).to_json()), "invented_later": [1, 2]}
    assert ModelSpec.from_json(json.dumps(data)) == ModelSpec("yolox", (416, 416))


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[1, 2]", '"yolox"', "{}", '{"family": "x", "input_wh": [1, 1], "mean": 3}',
     '{"family": "x", "input_wh": [1, 1], "std": ["a", "b", "c"]}'],
)  # fmt: skip
def test_unreadable_metadata_is_one_error(text: str) -> None:
    with pytest.raises(SpecError, match="metadata is not readable") as caught:
        ModelSpec.from_json(text)
    assert "--family" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resize": "crop"}, "resize is 'crop'"),
        ({"color": "RGB"}, "color is 'RGB'"),
        ({"pad_value": 256}, "pad_value is 256"),
        ({"pad_value": -1}, "pad_value is -1"),
        ({"std": (1.0, 0.0, 1.0)}, r"std\[1\] is 0.0"),
        ({"std": (1.0, float("nan"), 1.0)}, r"std\[1\] is nan"),
        ({"mean": (1.0, 2.0)}, "mean is"),
    ],
)
def test_a_contradiction_is_refused_with_a_hint(change: Dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        ModelSpec("yolox", (416, 416), **change)
    assert caught.value.hint


def test_model_io_names_its_sizes() -> None:
    io = ModelIO("images", (1, 3, 480, 640), {"boxes": (1, 10, 4), "scores": (1, 10, 2)})
    assert io.input_wh == (640, 480)
    assert io.shapes == ((1, 10, 4), (1, 10, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "cxcy"}, "box kind is 'cxcy'"),
        ({"class_activation": "relu"}, "class_activation is 'relu'"),
        ({"box_activation": "tanh"}, "box_activation is 'tanh'"),
        ({"objectness_activation": "x"}, "objectness_activation is 'x'"),
        ({"num_classes": 0}, "needs a level and a class"),
        ({"levels": ()}, "needs a level and a class"),
        ({"kind": "prior"}, "needs priors"),
        ({"kind": "prior_yx"}, "needs priors"),
    ],
)
def test_a_decode_description_is_checked(change: Dict[str, Any], message: str) -> None:
    good: Dict[str, Any] = {"kind": "cxcywh", "levels": (LEVEL,), "num_classes": 2}
    DecodeSpec(**good)
    with pytest.raises(SpecError, match=message):
        DecodeSpec(**{**good, **change})


def test_priors_satisfy_a_prior_kind() -> None:
    assert DecodeSpec("prior", (LEVEL,), 2, priors=np.zeros((10, 4), np.float32)).nms


@pytest.mark.parametrize(
    "change", [{"conf": -0.1}, {"conf": 1.1}, {"iou": 2.0}, {"conf": float("nan")}, {"max_det": 0}], ids=str
)
def test_thresholds_are_checked(change: Dict[str, Any]) -> None:
    with pytest.raises(SpecError) as caught:
        Thresholds(**change)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("conf", "multi_label", "expected"),
    [(0.25, None, False), (0.01, None, True), (0.001, None, True), (0.25, True, True), (0.001, False, False)],
)
def test_several_classes_per_box_where_map_is_measured(conf: float, multi_label: Any, expected: bool) -> None:
    assert Thresholds(conf=conf, multi_label=multi_label).per_box_classes is expected
