"""Some channels that could go stay, so that widths are multiples, or what they were. The outputs stay the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_runtime.graph.compact import MULTIPLE, compact
from tests.graph.compact.networks import bias, compacted, model, node, shapes, weights

ENTRY = [node("Conv", "x w b", "a", pads=[1] * 4), node("Relu", "a", "r")]
LAST = node("Conv", "m v", "y", pads=[1] * 4)


def held(filters: int, dead: int, last: int = 0, **more):
    """Weights of ENTRY and LAST; the first filters are dead."""
    entry = {"w": weights(filters, 3, 3, 3, dead=range(dead)), "b": bias(filters)}
    return {**entry, "v": weights(4, last or filters, 3, 3), **more}


def chain(filters: int, dead: int) -> onnx.ModelProto:
    return model([*ENTRY, node("Conv", "r v", "y", pads=[1] * 4)], **held(filters, dead))


def stored(made: onnx.ModelProto, output: str, place: int = 1) -> np.ndarray:
    """A constant of the layer with this output, the weight or (2) the bias."""
    name = next(each.input[place] for each in made.graph.node if output in each.output)
    return next(numpy_helper.to_array(tensor) for tensor in made.graph.initializer if tensor.name == name)


@pytest.mark.parametrize(("filters", "dead", "multiple", "left"), [
    (64, 20, 8, 48), (64, 20, 16, 48), (64, 20, 32, 64), (64, 20, 1, 45), (64, 20, 3, 45), (64, 41, 8, 24),
    (64, 62, 8, 8), (20, 2, 8, 20), (20, 5, 8, 16), (20, 4, 8, 20), (8, 3, 8, 8), (61, 2, 8, 61), (61, 6, 8, 56),
])  # fmt: skip
def test_a_width_that_changes_is_a_multiple(filters, dead, multiple, left):
    made, report = compacted(chain(filters, dead), multiple)
    assert shapes(made) == {"a": (left, 3, 3, 3), "y": (4, left, 3, 3)}
    needed = filters - dead + 1  # one constant stays for the others, because zeros are padded
    assert report.spare == left - needed and report.multiple == multiple
    assert report.after.filters["a"] == (left, left - filters + dead)
    said = any(line.endswith(f"multiples of {multiple}: {left - needed}") for line in report.lines())
    assert said == (multiple > 1)


def test_what_stays_for_a_width_stays_whole():
    file = chain(64, 20)
    made, _ = compacted(file, 8)
    left = np.flatnonzero(np.isin(stored(file, "a", 2), stored(made, "a", 2)))  # each bias is another number
    assert len(left) == 48 and set(range(20, 64)) < set(left)
    np.testing.assert_array_equal(stored(made, "a"), stored(file, "a")[left])
    np.testing.assert_array_equal(stored(made, "y")[:, left >= 20], stored(file, "y")[:, 20:])


def test_if_nothing_is_saved_the_file_stays_as_it_is():
    nodes = [
        node("Conv", "x w", "c", pads=[1] * 4), node("BatchNormalization", "c g b m s", "a"), node("Relu", "a", "r"),
        node("Conv", "r v", "y"),
    ]  # fmt: skip
    numbers = {name: bias(16) for name in "gbms"}
    file = model(nodes, w=weights(16, 3, 3, 3, dead=[3, 7]), v=weights(4, 16, 1, 1), **numbers)
    made, report = compacted(file, MULTIPLE)
    assert made == file and made is not file and not report.saved and report.to_dict()["saved"] is False
    assert report.before == report.after and report.spare == 2 and report.difference == 0
    assert "the file stays as it is" in report.lines()[0] and report.lines()[2].endswith("multiples of 8: 2")
    assert compacted(file, 1)[1].saved


def test_dead_filters_stay_before_those_that_nobody_reads():
    file = model([*ENTRY, node("Conv", "r w2 b2", "c"), node("Relu", "c", "m"), node("Conv", "m v", "y")], **held(
        32, 0, w2=weights(32, 32, 1, 1, dead=range(6, 12)), b2=bias(32),
    ))  # fmt: skip
    file.graph.initializer[2].CopyFrom(numpy_helper.from_array(weights(4, 32, 1, 1, unread=range(6)), "v"))
    made, report = compacted(file, 8)
    assert shapes(made)["c"] == (24, 32, 1, 1) and report.after.filters["c"] == (24, 4)


def test_what_a_kept_filter_reads_stays_too():
    nodes = [*ENTRY, node("Conv", "r w2", "c"), node("Relu", "c", "m"), node("Conv", "m v", "y")]
    weight = weights(16, 16, 1, 1)
    weight[:, :8] = 0
    weight[0, 0] = 1  # nobody reads the first filter, and it alone reads the first channel
    file = model(nodes, **held(16, 0, w2=weight))
    file.graph.initializer[2].CopyFrom(numpy_helper.from_array(weights(4, 16, 1, 1, unread=[0]), "v"))
    assert shapes(compacted(file, 1)[0]) == {"a": (8, 3, 3, 3), "c": (15, 8, 1, 1), "y": (4, 15, 1, 1)}
    assert shapes(compacted(file, 8)[0])["a"] == (16, 3, 3, 3)
    assert not compacted(file, 8)[1].saved


ADDED = [node("Conv", "r w2 b", "c"), node("Relu", "c", "c2"), node("Add", "r c2", "m"), LAST]
GATED = [
    node("GlobalAveragePool", "r", "p"), node("Conv", "p s", "q"), node("Relu", "q", "q2"), node("Conv", "q2 t", "u"),
    node("Sigmoid", "u", "g"), node("Mul", "r g", "m"), LAST,
]  # fmt: skip
PARTS = {"parts": np.array([32, 32])}
GROUPS = {
    "a residual": (
        ADDED, held(64, 20, w2=weights(64, 64, 1, 1, dead=range(8, 40))),
        {"a": (56, 3, 3, 3), "c": (56, 56, 1, 1), "y": (4, 56, 3, 3)}),  # 12 are dead in both
    "a join": (
        [node("Conv", "r w2 b", "c"), node("Concat", "r c", "m", axis=1), LAST],
        held(64, 20, 128, w2=weights(64, 64, 1, 1, dead=range(30))),
        {"a": (48, 3, 3, 3), "c": (40, 48, 1, 1), "y": (4, 88, 3, 3)}),
    "a join with an odd part": (
        [node("Concat", "r x", "m", axis=1), LAST], held(64, 20, 67), {"a": (48, 3, 3, 3), "y": (4, 51, 3, 3)}),
    "an odd part that makes the join even": (
        [node("Concat", "r x", "m", axis=1), LAST], held(61, 20, 64), {"a": (61, 3, 3, 3), "y": (4, 64, 3, 3)}),
    "a depthwise layer": (
        [node("Conv", "r d", "m", group=64), LAST], held(64, 30, d=weights(64, 1, 3, 3)),
        {"a": (40, 3, 3, 3), "m": (40, 1, 3, 3), "y": (4, 40, 3, 3)}),
    "a depthwise layer that doubles": (
        [node("Conv", "r d", "m", group=64), LAST], held(64, 30, 128, d=weights(128, 1, 3, 3)),
        {"a": (40, 3, 3, 3), "m": (80, 1, 3, 3), "y": (4, 80, 3, 3)}),
    "groups": (
        [node("Conv", "r d", "m", group=16), LAST], held(64, 30, d=weights(64, 4, 3, 3)),
        {"a": (40, 3, 3, 3), "m": (40, 4, 3, 3), "y": (4, 40, 3, 3)}),
    "a gate": (
        GATED, held(64, 20, s=weights(16, 64, 1, 1, dead=[2, 3, 4]), t=weights(64, 16, 1, 1)),
        {"a": (64, 3, 3, 3), "q": (16, 64, 1, 1), "u": (64, 16, 1, 1), "y": (4, 64, 3, 3)}),
    "a gate of zeros": (
        GATED, held(64, 20, b=-bias(64), s=weights(16, 64, 1, 1, dead=range(9)), t=weights(64, 16, 1, 1)),
        {"a": (48, 3, 3, 3), "q": (8, 48, 1, 1), "u": (48, 8, 1, 1), "y": (4, 48, 3, 3)}),
    "halves": (
        [node("Split", "r parts", "h k", axis=1), node("Conv", "h w2", "c"), node("Concat", "c k", "m", axis=1), LAST],
        held(64, 13, w2=weights(32, 32, 1, 1), **PARTS),
        {"a": (56, 3, 3, 3), "c": (32, 24, 1, 1), "y": (4, 64, 3, 3)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", GROUPS)
def test_channels_that_belong_together_stay_together(kind):
    nodes, constants, wanted = GROUPS[kind]
    file = model([*ENTRY, *nodes], **constants)
    made, report = compacted(file, 8)
    assert shapes(made) == wanted and report.saved == (wanted != shapes(file))


@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("multiple", [1, 2, 4, 8, 16])
def test_a_result_cannot_be_compacted_again(kind, multiple):
    nodes, constants, _ = GROUPS[kind]
    made, report = compacted(model([*ENTRY, *nodes], **constants), multiple)
    again, other = compacted(made, multiple)
    assert again == made and not other.saved and other.spare == report.spare


def test_without_a_multiple_all_that_can_go_does():
    made, report = compacted(model([*ENTRY, *ADDED], **held(64, 20, w2=weights(64, 64, 1, 1, dead=range(8, 40)))), 1)
    assert shapes(made)["a"][0] == 52 + 1 and report.spare == 0
    assert compact(chain(64, 20))[1].multiple == MULTIPLE
