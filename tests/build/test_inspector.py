"""What an engine's inspector says, up to 10 and in 11; the worker's tests ask one."""

from __future__ import annotations

import json

import pytest

from edge_runtime.build import inspector
from edge_runtime.build.listing import EngineLayer
from tests.standins import tensorrt_engine


@pytest.mark.parametrize("text", [tensorrt_engine.LISTING, tensorrt_engine.LISTING_11])
def test_layers_of_10_and_11(text):
    found = inspector.layers_of_json(text)
    assert [(layer.types, layer.convolves) for layer in found] == [(["float16"], True), (["float32"], True)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Layers": ["conv1"]}', '{"Layers": 3', '{"Layers": null}'])
def test_an_inspector_that_says_nothing_useful(text):
    assert inspector.layers_of_json(text) == []


@pytest.mark.parametrize("key", ["Format/Datatype", "Datatype", "DataType"])
def test_types_by_the_inspectors_keys(key):
    told = {"Name": "int8", "LayerType": "CaskConvolution", "Inputs": [{"Name": "fp16", key: "Row major FP32"}, {}]}
    assert inspector.layers_of_json(json.dumps({"Layers": [told]})) == [
        EngineLayer("int8", "CaskConvolution", ["float32", "unknown"])
    ]
