"""What images tell beside the ranges: means, against numpy over all images at once, and the rounding of the weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime import zoo
from edge_runtime.calibrate import corrections, patches, runs
from edge_runtime.calibrate.patches import Patches, RoundingStudy
from edge_runtime.graph.correction import Corrections
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import float_network
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from tests.graph.test_correction import WINDOWS, convolved

SEEN = {name: given for name, given in WINDOWS.items() if len(given[0]) == 2}


@pytest.fixture(scope="module")
def spec():
    return zoo.build("yolo_nano", VOC, 64).spec


@pytest.fixture(scope="module")
def network(spec) -> Network:
    architecture = zoo.build("yolo_nano", VOC, 64)
    return float_network(to_onnx(architecture, weights.random(architecture, 2)), spec.input_wh)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(7)]
    for number, path in enumerate(paths):
        small = generator.integers(0, 255, (6, 8, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, (90, 40 + 5 * number)))
    return [str(path) for path in paths]


def test_means_as_they_are_and_rounded(network, spec, images):
    """An activation without a range is not rounded."""
    found = corrections.learn(network, {"images": (0.0, 0.5)}, spec, images).means
    with ThreadPoolExecutor(1) as pool:
        everything = np.concatenate([tensor for _, tensor in runs.prepared(images, spec, pool)])
    np.testing.assert_allclose(found["images"][0], everything.mean(axis=(0, 2, 3)), rtol=1e-5)
    rounded = np.round(np.clip(everything, 0, 0.5) * 510) / 510
    np.testing.assert_allclose(found["images"][1], rounded.mean(axis=(0, 2, 3)), rtol=1e-4)
    np.testing.assert_array_equal(found["conv1"][0], found["conv1"][1])


def test_what_stays_in_float_has_the_mean_that_it_had():
    one, other = (np.array([1.0]), np.array([1.5])), (np.array([2.0]), np.array([2.5]))
    found = Corrections({"a": one, "b": other}, {"w": one[0]}).without(["b", "c"])
    assert found.means == {"a": one, "b": (other[0], other[0])} and found.weights == {"w": one[0]}


def test_rounding_is_learned_twice_the_same(network, spec, images):
    first, again = (corrections.learn(network, {}, spec, images).weights for _ in range(2))
    assert list(first) == list(again)
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)


def test_on_other_images_the_outputs_of_the_layers_change_less(network, spec, images):
    names = list(dict.fromkeys(node.input[0] for node in network.nodes if node.op_type == "Conv"))
    held, gains = RoundingStudy(network, ()), []
    learned = corrections.learn(network, {}, spec, images[:5]).weights
    with ThreadPoolExecutor(2) as pool:
        for _, tensor in runs.prepared(images[5:], spec, pool):
            held.see(dict(zip(names, runs.runner(network.model, names)(tensor))), pool)
    for key, seen in held._patches.items():
        varies = seen.covariance()
        for node in held._convs[key]:
            weight = network.constants[node.input[1]].astype(np.float64)
            step = np.maximum(np.abs(weight).reshape(len(weight), -1).max(axis=1) / 127, 1e-12).reshape(-1, 1, 1, 1)
            errors = [np.round(weight / step) * step - weight, learned[node.input[1]] - weight]
            split = [each.reshape(len(varies), -1, varies.shape[1]) for each in errors]
            nearest, ours = (np.einsum("gfi,gij,gfj->", each, varies, each) for each in split)
            gains.append(ours / nearest)
    assert len(gains) > 100 and np.median(gains) < 0.8


def test_layers_kept_in_float_are_not_learned(network, spec, images):
    everything, some = (
        corrections.learn(network, {}, spec, images[:1], keep).weights for keep in ((), ("conv1.linear",))
    )
    assert set(everything) - set(some) == {"conv1.weight"}


@pytest.mark.parametrize("case", ["alone", "shared weight", "bias computed", "mask", "large filter"])
def test_only_weights_that_can_be_learned(case, monkeypatch, spec, images):
    """Not: two layers' weight, one whose constant error no bias takes up, one behind a mask, one with large filters."""
    monkeypatch.setattr(patches, "LARGEST", 26 if case == "large filter" else 27)
    nodes = [helper.make_node("Mul", ["x", "factor"], ["seen"]), helper.make_node("Conv", ["seen", "w"], ["y"])]
    if case == "shared weight":
        nodes.append(helper.make_node("Conv", ["x", "w"], ["z"]))
    if case == "bias computed":
        nodes.insert(1, helper.make_node("ReduceMean", ["x"], ["b"], axes=[0, 2, 3], keepdims=0))
        nodes[2].input.append("b")
    random = np.random.default_rng(1)
    factor = np.array(-1e30 if case == "mask" else 2, np.float32)
    constants = {"w": random.normal(size=(3, 3, 3, 3)).astype(np.float32), "factor": factor}
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in
             (("x", [1, 3, 64, 64]), ("y", [1, 3, 62, 62]))]  # fmt: skip
    graph = helper.make_graph(nodes, "g", value[:1], value[1:],
                              [numpy_helper.from_array(array, name) for name, array in constants.items()])  # fmt: skip
    plain = Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7))
    found = corrections.learn(plain, {}, spec, images).weights
    assert set(found) == ({"w"} if case == "alone" else set())


@pytest.mark.parametrize("name", SEEN)
def test_filters_see_what_the_runtime_multiplies(name, monkeypatch):
    """Every output of a convolution is a filter times one column of what was sampled; each output comes up."""
    sizes, kernel, given = SEEN[name]
    random = np.random.default_rng(7)
    image, weight = random.normal(size=(1, 4, *sizes)), random.normal(size=(6, 2, *kernel))
    image, weight = image.astype(np.float32), weight.astype(np.float32)
    node, expected = convolved(image, weight, {**given, "group": 2})
    monkeypatch.setattr(patches, "PLACES", 4000)
    seen = Patches(node, weight.shape, 0)._sampled(image[0])
    outputs = (weight.reshape(2, 3, -1) @ seen).reshape(6, -1)
    apart = np.abs(outputs[:, :, None] - expected.reshape(6, 1, -1)).max(axis=0)
    assert (apart.min(axis=1) < 1e-4).all(), "a column that no output multiplies"
    assert (apart.min(axis=0) < 1e-4).all(), "an output whose column was never sampled"
