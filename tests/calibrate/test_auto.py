"""The method auto: noise as it is, the loudest left in float, and no more than may be."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edge_runtime.calibrate import auto, budget, noise
from edge_runtime.calibrate.noise import NoiseProbe
from edge_runtime.graph import fake, products, rounding_points
from edge_runtime.graph.network import Network
from edge_runtime.graph.products import Layer
from edge_runtime.graph.quantize import ONNXRUNTIME
from tests.graph.test_quantize import IMAGE, network, ranges, run


@pytest.fixture(scope="module")
def probe():
    known = ranges(network())
    return NoiseProbe(network(), known, [IMAGE]), known


def test_nothing_rounded_is_no_noise(probe):
    assert probe[0].noise({}) < 1e-6


def test_noise_of_one_activation_is_that_of_rounding_it(probe):
    """Against the network run on a rounded image."""
    limits = (0.0, 0.7)
    expected, got = run(network().model), run(network().model, image=fake.rounded(IMAGE, limits))
    powers = [
        np.square(got[n] - v).mean() / v.var() for n, v in expected.items() if n in rounding_points.ends(network())
    ]
    assert probe[0].noise({"images": limits}) == pytest.approx(max(powers), rel=0.02)


def test_a_network_without_ends_has_no_noise():
    """It multiplies by no weights: nothing is decoded, and nothing is rounded."""
    value = [helper.make_tensor_value_info(name, 1, [1, 3, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    plain = Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    assert NoiseProbe(plain, {"x": (0.0, 1.0)}, [np.ones((1, 3, 8, 8), np.float32)]).each({"x": (0.0, 1.0)}) == {"x": 0}


def test_each_is_what_asking_one_by_one_gives(probe):
    """Only the nodes from the rounding on are run for it. ONNX Runtime then fuses others, and a half may round up."""
    inside, known = probe
    each = inside.each(known)
    assert list(each) == list(known)
    for name, limits in known.items():
        assert each[name] == pytest.approx(inside.noise({name: limits}), rel=0.1)
    some = {name: known[name] for name in list(known)[1::7]}
    assert inside.each(some) == {name: each[name] for name in some}


def test_activations_of_one_operator_may_fall_into_two_parts(monkeypatch):
    """In whichever order they are named. The network's own names may look like those of the rounding.

    An activation that no node reads is allowed.
    """
    names = {"x": "x", "a": "a.scaled", "p": "p", "q": "q", "y": "y"}
    nodes = [("Conv", ["x", "w"], ["a"]), ("Conv", ["x", "w"], ["unread"]), ("Split", ["a"], ["p", "q"]),
             ("Concat", ["q", "p"], ["c"]), ("Conv", ["c", "w"], ["y"])]  # fmt: skip
    made = [
        helper.make_node(kind, [names.get(n, n) for n in reads], [names.get(n, n) for n in makes],
                         **({"axis": 1} if kind in ("Split", "Concat") else {}))
        for kind, reads, makes in nodes
    ]  # fmt: skip
    weight = numpy_helper.from_array(np.random.default_rng(5).normal(size=(4, 4, 1, 1)).astype(np.float32), "w")
    value = [helper.make_tensor_value_info(name, 1, [1, 4, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph(made, "g", value[:1], value[1:], [weight])
    plain = Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    limits = dict.fromkeys(("unread", "q", "p", "c", "a.scaled", "x"), (-4.0, 4.0))
    image = np.random.default_rng(6).normal(size=(1, 4, 8, 8)).astype(np.float32)
    for parts in (1, 2, 3, 6):
        monkeypatch.setattr(noise, "PARTS", parts)
        probe = NoiseProbe(plain, limits, [image])
        each = probe.each(limits)
        assert {n: probe.noise({n: limits[n]}) for n in limits} == pytest.approx(each, rel=0.1)
        assert [name for name in limits if each[name] == 0] == ["unread"]


def test_the_first_activations_may_be_of_one_operator_and_one_of_them_unread(monkeypatch):
    nodes = [
        helper.make_node("Split", ["x"], ["p", "q"], axis=1),
        helper.make_node("Conv", ["p", "w"], ["y"]),
    ]
    weight = numpy_helper.from_array(np.random.default_rng(5).normal(size=(4, 2, 1, 1)).astype(np.float32), "w")
    value = [helper.make_tensor_value_info(name, 1, [1, 4, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], [weight])
    plain = Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    limits = dict.fromkeys(("p", "q"), (-4.0, 4.0))
    for parts in (1, 2):
        monkeypatch.setattr(noise, "PARTS", parts)
        probe = NoiseProbe(plain, limits, [np.random.default_rng(6).normal(size=(1, 4, 8, 8)).astype(np.float32)])
        each = probe.each(limits)
        assert each["q"] == 0 < each["p"] == pytest.approx(probe.noise(limits), rel=0.1)


def test_multiplications_add_up():
    shares = products.weighted_shares(network())
    assert sum(shares.values()) == pytest.approx(1) and all(share >= 0 for share in shares.values())


def test_what_saves_most_noise_for_its_cost_stays_in_float(monkeypatch):
    some = [
        Layer("a", "b", 0.05),
        Layer("b", "", 0.05),
        Layer("c", "d", 0.02),
        Layer("e", "", 0.003),
        Layer("h", "", 0.02),
    ]
    monkeypatch.setattr(budget, "layers", lambda network: some)
    alone = {"c": 0.01, "a": 0.5, "b": 0.2, "d": 0.002, "e": 0.0002, "f": 0.0002, "g": 0.00004}
    chosen = auto.left_in_float(network(), alone)
    assert chosen == ["a", "c", "f"], "b would be too much, g is faint, d and e save little beside all the noise"
    chosen = auto.left_in_float(network(), {"c": 0.0001, "h": 0.00006})
    assert chosen == ["c"], "h is not worth it, although it is much of a small noise"


def test_marked_activations_are_those_of_the_form():
    assert set(ranges(network())) == set(ONNXRUNTIME.marked(Network(network().model)))
