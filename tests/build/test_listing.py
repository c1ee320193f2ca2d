"""The builder's list of layers, in the words of each version."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from edge_runtime.build import listing

RTX = (
    "Layers:\n"
    "Name: a + b, LayerType: correlation, Inputs: [ { Name: x.fp16, Dimensions: [1,3,8,8], Strides: [192,64,8,1], "
    "Datatype: Int8, Format: (Linear) Row major linear format }], Constants: [ { Name: w, Datatype: Half }], "
    "Outputs: [ { Name: y, Datatype: Float }], TacticName: t\n"
    "Name: c, LayerType: kgen, Inputs: [ { Name: y, Datatype: Float }], Outputs: [ { Name: z, Datatype: Int8 }], "
    "StreamId: 0\n"
    "Name: d, LayerType: constant, Inputs: [], Constants: [ { Name: k, Datatype: Half }], Outputs: [], TacticName: \n"
    "Name: __myl_CorrSilu_0, LayerType: runtime_fusion, Inputs: [ { Name: z, Datatype: Half }], Outputs: [ { Name: q, "
    "Datatype: Half }], TacticName: t\n"
    "Bindings:\nx\n"
)
TEN = (
    "Layers:\n"
    "Name: int8_conv, LayerType: CaskConvolution, Inputs: [ { Name: x, Location: Device, Dimensions: [1,4,8,8], "
    "Format/Datatype: Channel major FP32 format where channel % 4 == 0 }], Outputs: [ { Name: y, Location: Device, "
    "Dimensions: [1,4,8,8], Format/Datatype: Thirty-two wide channel vectorized row major Int8 format }], "
    "ParameterType: Convolution, TacticName: sm80_xmma, StreamId: 0\n"
    "Name: dense, LayerType: CaskGemmConvolution, Inputs: [ { Name: y, Location: Device, Dimensions: [1,4,8,8], "
    "Format/Datatype: Thirty-two wide channel vectorized row major Int8 format }], Outputs: [ { Name: z, "
    "Format/Datatype: Row major linear FP16 format }], TacticName: t\n"
    "Name: r, LayerType: Reformat, Inputs: [ { Name: z, Format/Datatype: N/A due to dynamic shapes }], Outputs: []\n"
)
EIGHT = (
    "Engine Layer Information:\n"
    "Layer(Reformat): Reformatting CopyNode for Input Tensor 0 to conv1, Tactic: 0x00000000000003e8, "
    "images[Float(1,3,64,64)] -> Reformatted Input[Int8(1,3,64,64)]\n"
    "Layer(CaskConvolution): conv1 + Relu, Tactic: 0xf067e6205da31c2e, Half(x)[Int8(1,3,64,64)] -> a[Half(1,8,64,64)]\n"
    "Layer(CaskGemmConvolution): fc, Tactic: -4212163711445252890, a[Half(1,8,64,64)] -> b[Float(1,8)]\n"
    "Layer(CaskConvolution): conv2, Tactic: 0x1, b (Half[1,8:8,64,64]) -> c (Half[1,8:8,64,64])\n"
    "Layer(ElementWise): add, Tactic: 1, a[Float(1,8)], b[Half(1,8)] -> y[Float(1,8)]\n"
    "Layer(Constant): k, Tactic: 0x0,  -> k[Float(1)]\n"
    "Layer(Odd): odd, Tactic: 0, b[Strange(1,8)] -> y[Float(1,8)]"
)


def told(texts: List[str]) -> List[Tuple[str, List[str], bool]]:
    return [(layer.kind, layer.types, layer.convolves) for layer in listing.layers_of_text(texts)]


def test_layers_of_rtx():
    found = listing.layers_of_text(["something else", RTX])
    assert [layer.name for layer in found] == ["a + b", "c", "d", "__myl_CorrSilu_0"]
    assert told([RTX]) == [
        ("correlation", ["int8"], True), ("kgen", ["float32"], False), ("constant", [], False),
        ("runtime_fusion", ["float16"], True),
    ]  # fmt: skip


def test_layers_of_9_and_10():
    assert told([TEN]) == [
        ("CaskConvolution", ["float32"], True), ("CaskGemmConvolution", ["int8"], True),
        ("Reformat", ["unknown"], False),
    ]  # fmt: skip


@pytest.mark.parametrize("texts", [[EIGHT], EIGHT.split("\n"), ["Building", *EIGHT.split("\n"), "Done, Tactic: 1"]])
def test_layers_of_8_in_one_message_or_many(texts):
    assert told(texts) == [
        ("Reformat", ["float32"], False), ("CaskConvolution", ["int8"], True),
        ("CaskGemmConvolution", ["float16"], True), ("CaskConvolution", ["float16"], True),
        ("ElementWise", ["float32", "float16"], False), ("Constant", [], False), ("Odd", ["unknown"], False),
    ]  # fmt: skip


def test_of_several_builds_the_last_one_counts():
    earlier = "Engine Layer Information:\nLayer(CaskConvolution): old, Tactic: 1, x[Float(1,3)] -> y[Float(1,3)]"
    assert "old" not in [layer.name for layer in listing.layers_of_text([earlier, EIGHT])]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Channel major FP32 format where channel % 4 == 0", "float32"),
        ("Two wide channel vectorized row major FP16 format", "float16"),
        ("Row major Int8 format", "int8"), ("Row major linear BF16", "bfloat16"), ("FP8", "float8"), ("Bool", "bool"),
        ("Int64", "int64"), ("Channel major", "unknown"), ("N/A due to dynamic shapes", "unknown"), ("", "unknown"),
    ],
)  # fmt: skip
def test_a_type_is_one_of_the_known_names(words, name):
    assert listing.type_name(words) == name and name in {*listing.TYPES.values(), listing.UNKNOWN}


def test_types_are_counted_most_frequent_first():
    layers = [listing.EngineLayer("n", "k", names) for names in (["float16"], ["int8"], ["int8", "float16"], [])]
    assert list(listing.summary(layers).items()) == [("int8", 2), ("float16", 1)]


@pytest.mark.parametrize(
    ("kind", "convolves"),
    [("CudnnConvolution", True), ("CaskDeconvolutionV2", True), ("FusedConvActConvolution", True), ("gemm", True),
     ("Conversion", False), ("Convert", False), ("Reformat", False), ("PointWiseV2", False)],
)  # fmt: skip
def test_what_convolves(kind, convolves):
    assert listing.EngineLayer("conv", kind, []).convolves is convolves


def test_no_list_gives_no_layers():
    assert listing.layers_of_text(["Layers: none"]) == listing.layers_of_text([]) == [] and listing.summary([]) == {}
