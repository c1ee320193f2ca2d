"""Channels move: they are added, joined, cut apart and reordered. What is not known keeps all of them."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.graph.compact.networks import bias, compacted, model, node, shapes, weights

ENTRY = [node("Conv", "x w b", "a", pads=[1] * 4), node("Relu", "a", "r")]
LAST = node("Conv", "m v", "y")


def held(filters: int = 8, dead=(1, 2, 5), last: int = 8, **more):
    return {"w": weights(filters, 3, 3, 3, dead=dead), "b": -bias(filters), "v": weights(4, last, 1, 1), **more}


def test_of_an_addition_a_channel_goes_if_it_goes_in_both():
    nodes = [*ENTRY, node("Conv", "r w2 b", "c"), node("Relu", "c", "c2"), node("Add", "r c2", "m"), LAST]
    made, _ = compacted(model(nodes, **held(w2=weights(8, 8, 1, 1, dead=[2, 5, 6]))))
    assert shapes(made) == {"a": (6, 3, 3, 3), "c": (6, 6, 1, 1), "y": (4, 6, 1, 1)}


def test_what_nobody_reads_goes_and_what_it_reads_too():
    nodes = [*ENTRY, node("Conv", "r w2", "c", pads=[1] * 4), node("Relu", "c", "m"), LAST]
    weight = weights(8, 8, 3, 3)
    weight[3:, [0, 7]] = 0  # only the first three filters read two channels
    file = model(nodes, **{**held(dead=[], w2=weight), "v": weights(4, 8, 1, 1, unread=[0, 1, 2])})
    assert shapes(compacted(file)[0]) == {"a": (6, 3, 3, 3), "c": (5, 6, 3, 3), "y": (4, 5, 1, 1)}


MOVES = {
    "concat": ([node("Concat", "r x", "m", axis=1)], {"last": 11}, (4, 8, 1, 1)),
    "concat of a tensor and itself": ([node("Concat", "r r", "m", axis=-3)], {"last": 16}, (4, 10, 1, 1)),
    "concat of planes": ([node("Concat", "r a", "m", axis=2)], {}, (4, 6, 1, 1)),  # one step stays for three
    "slice": (
        [node("Slice", "r s e one", "m")],
        {"last": 5, "s": np.array([1]), "e": np.array([-2]), "one": np.array([1])}, (4, 2, 1, 1)),
    "slice of the plane": (
        [node("Slice", "r s e axes", "m")],
        {"s": np.array([1, 0]), "e": np.array([9, 9]), "axes": np.array([2, 3])}, (4, 5, 1, 1)),
    "slice with steps": (
        [node("Slice", "r s e one two", "m")],
        {"last": 4, "s": np.array([0]), "e": np.array([8]), "one": np.array([1]), "two": np.array([2])}, (4, 4, 1, 1)),
    "split": ([node("Split", "r parts", "p m q", axis=1)], {"last": 4, "parts": np.array([2, 4, 2])}, (4, 2, 1, 1)),
    "gather": ([node("Gather", "r order", "m", axis=1)], {"order": np.array([7, 2, 0, -2, 5, 1, 3, 4])}, (4, 5, 1, 1)),
    "resize": ([node("Resize", "r - scales", "m", mode="linear")],
               {"scales": np.array([1, 1, 2, 2], np.float32)}, (4, 5, 1, 1)),
    "resize to sizes": ([node("Resize", "r - - sizes", "m", mode="nearest")],
                        {"sizes": np.array([1, 8, 20, 24])}, (4, 5, 1, 1)),
    "pad": ([node("Pad", "r pads", "m")], {"pads": np.array([0, 0, 1, 1, 0, 0, 0, 2])}, (4, 5, 1, 1)),
    "pad of channels": ([node("Pad", "r pads", "m")], {"last": 9, "pads": np.array([0, 1, 0, 0, 0, 0, 0, 0])},
                        (4, 9, 1, 1)),
    "mean": ([node("ReduceMean", "r", "m", axes=[-1, 2])], {}, (4, 5, 1, 1)),
    "mean of channels": ([node("ReduceMean", "r", "m", axes=[1])], {"last": 1}, (4, 1, 1, 1)),
    "reshape": ([node("Reshape", "r form", "m")], {"form": np.array([1, 8, -1, 6])}, (4, 5, 1, 1)),
    "reshape over channels": ([node("Reshape", "r form", "m")], {"last": 4, "form": np.array([1, 4, -1, 12])},
                              (4, 4, 1, 1)),
    "transposed and back": ([node("Transpose", "r", "t", perm=[0, 2, 3, 1]), node("Transpose", "t", "m",
                                                                                 perm=[0, 3, 1, 2])], {}, (4, 8, 1, 1)),
    "unknown": ([node("Softmax", "r", "m", axis=1)], {}, (4, 8, 1, 1)),
    "scale": ([node("Mul", "r k", "m")], {"k": np.linspace(0, 1, 8, dtype=np.float32).reshape(8, 1, 1)}, (4, 4, 1, 1)),
    "slope": ([node("PRelu", "a k", "m")], {"k": np.linspace(0, 1, 8, dtype=np.float32).reshape(8, 1, 1)},
              (4, 5, 1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("kind", MOVES)
def test_channels_are_followed(kind):
    nodes, more, wanted = MOVES[kind]
    made, _ = compacted(model([*ENTRY, *nodes, LAST], **held(**more)))
    assert shapes(made)["y"] == wanted
    assert [each.op_type for each in made.graph.node] == [each.op_type for each in [*ENTRY, *nodes, LAST]]


def test_a_flat_list_of_values_is_cut_too():
    nodes = [*ENTRY, node("Reshape", "r form", "f"), node("Gemm", "f g", "y")]
    made, _ = compacted(model(nodes, **held(form=np.array([1, 960]), g=weights(960, 4))))
    assert shapes(made)["y"] == (600, 4)


def test_groups_go_as_a_whole():
    nodes = [*ENTRY, node("Conv", "r w2", "m", group=4), LAST]
    made, _ = compacted(model(nodes, **held(dead=[0, 1, 2, 5], last=12, w2=weights(12, 2, 1, 1))))
    assert shapes(made) == {"a": (6, 3, 3, 3), "m": (9, 2, 1, 1), "y": (4, 9, 1, 1)}


def test_a_transposed_convolution_drops_both_sides():
    nodes = [*ENTRY, node("ConvTranspose", "r w2", "t", strides=[2, 2]), node("Relu", "t", "m"), LAST]
    weight = weights(6, 8, 2, 2, dead=[0, 3]).transpose(1, 0, 2, 3).copy()
    made, _ = compacted(model(nodes, **held(last=6, w2=weight)))
    assert shapes(made) == {"a": (5, 3, 3, 3), "t": (5, 4, 2, 2), "y": (4, 4, 1, 1)}


def test_a_weight_of_two_layers_is_cut_for_each():
    nodes = [*ENTRY, node("Conv", "r w2", "c"), node("Conv", "c w2", "m"), LAST]
    made, _ = compacted(model(nodes, **held(dead=[1], w2=weights(8, 8, 1, 1, unread=[6, 7]))))
    assert shapes(made) == {"a": (5, 3, 3, 3), "c": (6, 5, 1, 1), "m": (8, 6, 1, 1), "y": (4, 8, 1, 1)}


def test_outputs_and_what_the_graphs_inside_read_stay_whole():
    inside = helper.make_graph([node("Relu", "r", "i")], "inside", [], [helper.make_tensor_value_info("i", 1, None)])
    other = helper.make_graph([node("Neg", "r", "j")], "other", [], [helper.make_tensor_value_info("j", 1, None)])
    mean = node("ReduceMean", "x", "n", keepdims=0)
    branch = [mean, node("Greater", "n zero", "yes"), node("If", "yes", "m", then_branch=inside, else_branch=other)]
    made, _ = compacted(model([*ENTRY, *branch, LAST], **held(zero=np.float32(0))))
    assert shapes(made)["a"] == (8, 3, 3, 3)
    made, _ = compacted(model([*ENTRY, node("Conv", "r v", "y")], outputs="y r", **held()))
    assert shapes(made) == {"a": (8, 3, 3, 3), "y": (4, 8, 1, 1)}


def test_a_size_that_is_computed_keeps_the_channels():
    nodes = [
        *ENTRY, node("Shape", "r", "s"), node("ConstantOfShape", "s", "zeros"), node("Add", "r zeros", "m"), LAST,
    ]  # fmt: skip
    assert shapes(compacted(model(nodes, **held()))[0])["a"] == (8, 3, 3, 3)


def test_a_weight_that_is_computed_keeps_the_channels():
    nodes = [*ENTRY, node("ReduceMean", "x", "n"), node("Mul", "v n", "v2"), node("Conv", "r v2", "y")]
    made, _ = compacted(model(nodes, **held()))
    assert [list(each.dims) for each in made.graph.initializer if each.name == "w"] == [[8, 3, 3, 3]]
