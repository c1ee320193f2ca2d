"""Mending: more in float until the loss is small, never more than it may be, the best kept."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime import calibrate, zoo
from edge_runtime.calibrate import mixed
from edge_runtime.calibrate.verdict import Comparison
from edge_runtime.graph import products
from edge_runtime.graph.prepare import float_network
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from tests.tiny import boxes_v8, write_onnx


def comparison(drop: float, metric: str = "AP") -> Comparison:
    return Comparison(metric, 0.5, 0.5 - drop / 100, drop, (drop - 1, drop + 1), 1.0, 1.0, 0.0, 0.0, (), 9, 40)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    architecture = zoo.build("yolo_nano", VOC, 64)
    onnx.save(to_onnx(architecture, weights.random(architecture, 1)), folder / "m.onnx")
    for number in range(2):
        picture = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    images = [str(folder / f"{number}.png") for number in range(2)]
    network = float_network(onnx.load(folder / "m.onnx"), architecture.spec.input_wh)
    return network, architecture.spec, images, calibrate.calibrate(str(folder / "m.onnx"), architecture.spec, images)


def mend(made, drops, max_drop=0.5, time_left=lambda: True, metric="AP"):
    network, spec, images, first = made
    seen, left = [], iter(drops)

    def trial(candidate):
        seen.append(candidate)
        return comparison(next(left), metric)

    best, tried = mixed.MixedPrecisionSearch(network, spec, images, first, trial).mend(max_drop, time_left)
    return seen, best, tried


def test_a_good_model_is_left_alone(made):
    seen, best, tried = mend(made, [0.4])
    assert len(seen) == len(tried) == 1 and best is made[-1]


def test_more_stays_in_float_until_the_loss_is_small(made):
    seen, best, tried = mend(made, [3.0, 1.0, 0.3])
    free = [len(candidate.table.float_activations) for candidate in seen]
    assert free == [free[0], free[0] + 4, free[0] + 8] == [step.in_float for step in tried]
    assert best is seen[2] and best.model is not made[-1].model
    shares = products.weighted_shares(made[0])
    for candidate in seen[1:]:
        assert set(seen[0].table.float_activations) < set(candidate.table.float_activations)
        free = candidate.table.float_activations
        assert sum(shares.get(name, 0.0) for name in free) <= mixed.FLOAT_MACS
        assert touched(made[0], free) <= mixed.ON_ONNXRUNTIME


def touched(network, free):
    """What ONNX Runtime computes in float: part of the multiplications."""
    return sum(layer.share for layer in products.layers(network) if layer.reads in free or layer.makes in free)


def test_no_limit_is_passed_however_much_is_lost(made, monkeypatch):
    monkeypatch.setattr(mixed, "ON_ONNXRUNTIME", 0.25)
    monkeypatch.setattr(mixed, "GROWTH", (200,))
    seen, _, _ = mend(made, [3.0, 1.0])
    before, after = (touched(made[0], each.table.float_activations) for each in seen)
    assert before < 0.2 < after <= 0.25


def test_the_best_is_kept_where_nothing_suffices(made):
    seen, best, tried = mend(made, [3.0, 2.0, 2.5, 2.6, 2.7])
    assert best is seen[1] and tried[-1].comparison.drop == 2.0


def test_time_that_is_up_ends_it(made):
    assert len(mend(made, [3.0], time_left=lambda: False)[0]) == 1


def test_without_labels_boxes_near_the_threshold_may_come_and_go(made):
    assert len(mend(made, [9.9], metric="agreement")[0]) == 1
    assert len(mend(made, [10.1, 4.0], metric="agreement")[0]) == 2


def test_worst(made):
    rows = mixed.worst_activations(*made)
    assert len(rows) == mixed.WORST and rows == sorted(rows, key=lambda row: row.sqnr_db)
    assert {row.in_float for row in rows} <= {row.name in made[-1].table.float_activations for row in rows}


def test_a_network_without_a_convolution_has_no_worst(made, tmp_path):
    path = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    first = calibrate.calibrate(str(path), made[1], made[2])
    assert mixed.worst_activations(float_network(onnx.load(path), (64, 64)), made[1], made[2], first) == []
