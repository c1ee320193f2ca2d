"""The builder's list of layers."""

from __future__ import annotations

from edge_runtime.build import listing

TEXT = (
    "Layers:\n"
    "Name: a + b, LayerType: correlation, Inputs: [ { Name: x, Dimensions: [1,3,8,8], Format/Datatype: Int8, "
    "Datatype: Int8 }, { Name: w, Datatype: Half }], Outputs: [ { Name: y, Datatype: Float }], TacticName: t\n"
    "Name: c, LayerType: kgen, Inputs: [ { Name: y, Datatype: Float }], Outputs: [ { Name: z, Datatype: Int8 }], "
    "StreamId: 0\n"
    "Name: d, LayerType: constant, Inputs: [], Outputs: [ { Name: k, Datatype: Float }], TacticName: none\n"
    "Name: __myl_CorrSilu_0, LayerType: runtime_fusion, Inputs: [ { Name: z, Datatype: Half }], Outputs: [ { Name: q, "
    "Datatype: Half }], TacticName: t\n"
    "Bindings:\nx\n"
)


def test_layers_are_read():
    found = listing.layers(["something else", TEXT])
    assert [(layer.name, layer.kind, layer.convolves) for layer in found] == [
        ("a + b", "correlation", True), ("c", "kgen", False), ("d", "constant", False),
        ("__myl_CorrSilu_0", "runtime_fusion", True),
    ]  # fmt: skip
    assert found[0].types[0] == "Int8" and found[1].types == ["Float"]
    assert listing.summary(found) == {"Float": 1, "Half": 1, "Int8": 1}


def test_types_are_counted_most_frequent_first():
    layers = [listing.Layer("n", "k", [name]) for name in ("Half", "Int8", "Int8")]
    assert list(listing.summary(layers).items()) == [("Int8", 2), ("Half", 1)]


def test_no_list_gives_no_layers():
    assert listing.layers(["Layers: none"]) == [] and listing.summary([]) == {}
