"""Passports: written, read, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.gpu import passport
from edge_runtime.gpu.passport import Passport, Platform
from edge_runtime.model.spec import ModelIO, ModelSpec

ORIN = Platform("tensorrt 10.3.0", "8.7", "NVIDIA Jetson Orin Nano", "12.6", "6", "36.4.3", "15W")
MADE = Passport(
    spec=ModelSpec("yolo_v3", (320, 320), ("cat", "dog"), anchors=(((1.0, 2.0),),), strides=(8,)),
    io=ModelIO("images", (1, 3, 320, 320), {"a": (1, 75, 40, 40)}, {}, {"images": "float32", "a": "float32"}),
    precision="int8+fp16",
    layers={"int8": 10, "float16": 2},
    convolutions={"int8": 10},
    onnx="1" * 64,
    ranges="2" * 64,
    place=ORIN,
    seconds=12.5,
    command="edge-build nano_int8.onnx",
)


def test_reads_what_it_writes(tmp_path):
    assert Passport.from_json(MADE.to_json()) == MADE
    plan = tmp_path / "n.plan"
    assert passport.read_passport(plan) is None
    passport.passport_path(plan).write_text(MADE.to_json(), encoding="utf-8")
    assert passport.passport_path(plan).name == "n.plan.json" and passport.read_passport(plan) == MADE


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', '{"format": 99}', "\0", MADE.to_json()[:-40]])
def test_damaged_ones_are_errors_in_words(tmp_path, text):
    passport.passport_path(tmp_path / "n.plan").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        passport.read_passport(tmp_path / "n.plan")
    assert caught.value.hint


def test_missing_keys_are_errors_in_words():
    for key in json.loads(MADE.to_json()).keys() - {"half", "golden", "least_batch"}:
        with pytest.raises(ModelError):
            Passport.from_json(json.dumps({k: v for k, v in json.loads(MADE.to_json()).items() if k != key}))


def test_a_shape_without_sizes_is_an_error_in_words():
    data = json.loads(MADE.to_json())
    del data["least_batch"]  # as in older passports
    data["io"]["input_shape"] = []
    with pytest.raises(ModelError, match="not a passport"):
        Passport.from_json(json.dumps(data))


def test_passports_from_before_float16_was_judged_are_read():
    judged = replace(MADE, half={"verdict": "cannot say", "boxes": 0, "float32_layers": {"Conv c": "overflows"}})
    assert Passport.from_json(judged.to_json()) == judged
    old = {key: value for key, value in json.loads(judged.to_json()).items() if key not in ("half", "golden")}
    assert Passport.from_json(json.dumps(old)) == MADE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"power_mode": "MAXN", "l4t": "36.5.0"}, None),
        ({"tensorrt": ""}, None),
        ({"tensorrt": "tensorrt 10.7.0"}, "it was built with tensorrt 10.3.0, but here is tensorrt 10.7.0"),
        ({"tensorrt": "tensorrt_rtx 10.3.0"}, "it was built with tensorrt 10.3.0, but here is tensorrt_rtx 10.3.0"),
        ({"compute_capability": "7.2"}, "it was built for a GPU of compute capability 8.7, but this one has 7.2"),
        ({"compute_capability": "", "board": ""}, "it was built on NVIDIA Jetson Orin Nano, but this is a computer"),
        ({"board": "NVIDIA Jetson AGX Orin"}, None),
    ],
)
def test_refusals(change, said):
    assert MADE.refusal(replace(ORIN, **change)) == said


def test_both_reasons_are_named():
    other = replace(ORIN, tensorrt="tensorrt 8.5.2", compute_capability="7.2")
    assert str(MADE.refusal(other)).count(", and it was built") == 1
