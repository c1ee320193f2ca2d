"""The verdict: equal models agree, worse ones are told by how much and how surely."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.accuracy import coco
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.accuracy.evidence import UNKNOWN
from edge_runtime.calibrate import verdict
from edge_runtime.datasets import Dataset
from edge_runtime.errors import ModelError
from edge_runtime.types import Truth

COUNT = 24


def found(noise: float, labelled: bool = True, miss: int = 0) -> Found:
    """Boxes with noise in place and score; every `miss`-th image has none."""
    generator = np.random.default_rng(7)
    rows, truths = [], []
    for number in range(COUNT):
        boxes = generator.uniform(0, 60, (4, 2))
        xyxy = np.concatenate([boxes, boxes + generator.uniform(15, 40, (4, 2))], axis=1)
        classes, scores = generator.integers(0, 3, 4), generator.uniform(0.4, 0.9, 4)
        jitter, change = generator.normal(0, 1, (4, 4)), generator.normal(0, 1, 4)
        row = np.concatenate(
            [xyxy + noise * jitter, (scores + 0.02 * noise * change)[:, None], classes[:, None]], axis=1
        )
        rows.append(row.astype(np.float32)[: 0 if miss and number % miss == 0 else 4])
        truths.append(Truth(xyxy.astype(np.float32), classes, np.zeros(4, bool)))
    return Found(tuple(rows), tuple(truths) if labelled else (), ("a", "b", "c"), 1.0, ())


@pytest.mark.parametrize("labelled", [True, False])
def test_the_same_loses_nothing(labelled):
    result = verdict.compare_models(found(0, labelled), found(0, labelled))
    assert (result.drop, result.interval, result.agreement) == (0.0, (0.0, 0.0), 1.0)
    assert result.score_drift == result.score_shift == 0
    assert result.metric == ("AP" if labelled else "agreement")
    assert len(result.classes) == (3 if labelled else 0)
    assert (result.boxes, result.images, result.objects) == (4 * COUNT, COUNT, 4 * COUNT if labelled else 0)
    assert result.evidence.interval[1] == pytest.approx(300 / (4 * COUNT)), "none of n is lost, so 3 / n may be"


@pytest.mark.parametrize("labelled", [True, False])
def test_what_misses_images_loses_for_certain(labelled):
    result = verdict.compare_models(found(0, labelled), found(0, labelled, miss=3))
    assert 0 < result.interval[0] < result.drop < result.interval[1]
    assert result.agreement == pytest.approx(0.8), "a third of the boxes is missing: F1 = 2 * 2/3 / (1 + 2/3)"


def test_a_little_noise_drifts():
    result = verdict.compare_models(found(0), found(1.0))
    assert 0.005 < result.score_drift < 0.05 and abs(result.score_shift) < result.score_drift
    assert result.agreement_50 > 0.9


def test_boxes_that_move_agree_less_though_each_has_a_partner():
    """A box moved by a ninth of its width has an IoU of 0.8: it agrees at seven of the ten overlaps."""
    box = np.array([[0, 0, 90, 90, 0.9, 0]], np.float32)
    moved = box + np.array([10, 0, 10, 0, 0, 0], np.float32)
    result = verdict.compare_models(unlabelled(box), unlabelled(moved))
    assert result.agreement_50 == 1.0 and result.agreement == pytest.approx(0.7) and result.drop == pytest.approx(30)
    other = box + np.array([0, 0, 0, 0, 0, 1], np.float32)
    assert verdict.compare_models(unlabelled(box), unlabelled(other)).agreement_50 == 0.0, "another class"


def unlabelled(*rows: np.ndarray) -> Found:
    return Found(rows, (), ("a", "b", "c"), 1.0, ())


def test_nothing_found_is_no_agreement():
    empty = unlabelled(*[np.zeros((0, 6), np.float32)] * 12)
    result = verdict.compare_models(empty, empty)
    assert result.boxes == 0 and result.evidence.answer(0.5) == UNKNOWN
    low = unlabelled(*[np.array([[0, 0, 9, 9, 0.1, 0]], np.float32)] * 12)
    assert verdict.compare_models(low, low).boxes == 0, "scores below the threshold are no boxes"
    sentence = verdict.recommendation(result, {"fp32": 2.0, "int8": 1.0}, 0.5)
    assert sentence.startswith("These 12 pictures cannot say what INT8 costs")


def test_boxes_that_only_one_of_the_two_finds_count():
    box, none = np.array([[0, 0, 90, 90, 0.9, 0]], np.float32), np.zeros((0, 6), np.float32)
    result = verdict.compare_models(unlabelled(box, none, box), unlabelled(none, box, box))
    assert result.boxes == 3 and result.agreement_50 == pytest.approx(0.5)


def test_images_that_cannot_be_read_are_not_counted():
    some = replace(found(0), unread=4)
    assert verdict.compare_models(some, some).images == COUNT - 4


def test_accuracy_by_size_of_the_object():
    sizes = {size: (before, after) for size, before, after in verdict.compare_models(found(0), found(4)).sizes}
    assert set(sizes) == {"small", "medium"}, "the boxes have sides of 15 to 40 pixels; no large one is labelled"
    for before, after in sizes.values():
        assert before == pytest.approx(1.0) and after < before


def test_labels_without_an_object_say_nothing_about_accuracy():
    empty = Truth(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool))
    some = replace(found(0), truths=(empty,) * COUNT)
    assert verdict.compare_models(some, some).metric == "agreement"


def blind(count: int) -> Found:
    """Labelled images in which nothing is found where it is."""
    some = found(0)
    rows = tuple(row + np.array([500, 500, 500, 500, 0, 0], np.float32) for row in some.rows)
    return replace(some, rows=rows[:count], truths=some.truths[:count])


def test_a_float_model_that_finds_nothing_that_is_labelled_is_the_finding():
    result = verdict.compare_models(blind(COUNT), blind(COUNT))
    assert "finds nothing of the 96 labelled objects in 24 pictures" in result.blind
    with pytest.raises(ModelError, match="the pictures cannot say what INT8 costs") as caught:
        verdict.refuse_blind(result, "m.onnx")
    assert "check family and preprocessing: edge-identify m.onnx" in str(caught.value.hint)
    few = verdict.compare_models(blind(2), blind(2))
    verdict.refuse_blind(few, "m.onnx")
    sentence = verdict.recommendation(few, {"fp32": 2.0, "int8": 1.0}, 0.5)
    assert "cannot say" in sentence and "edge-identify" in sentence and "Use" not in sentence
    assert not verdict.compare_models(found(0), found(0)).blind


def test_a_float_model_that_finds_little_is_said_in_the_sentence():
    """A tenth of the images show what is labelled: the preprocessing may be wrong, and the loss is beside the point."""
    some, none = found(0), np.zeros((0, 6), np.float32)
    weak = replace(some, rows=tuple(row if number % 10 == 0 else none for number, row in enumerate(some.rows)))
    sentence = verdict.recommendation(verdict.compare_models(weak, weak), {"fp32": 2.0, "int8": 1.0}, 0.5)
    assert "fp32 itself finds little of what is labelled (AP50 0." in sentence and "edge-identify" in sentence
    assert "edge-identify" not in verdict.recommendation(verdict.compare_models(some, some), {"fp32": 2.0}, 0.5)


def test_a_model_that_seems_misread_is_not_judged():
    right = verdict.compare_models(found(0), found(0))
    speeds = {"fp32": 2.0, "int8": 1.0}
    assert verdict.recommendation(right, speeds, 4.0).startswith("Use INT8")
    said = verdict.recommendation(right, speeds, 4.0, doubt="the float model seems misread: AP 0.1, and 0.4 otherwise")
    assert said.startswith("The pictures cannot say what INT8 costs: the float model seems misread: AP 0.1")
    assert "edge-identify" in said and "Use" not in said and "96 boxes in 24 pictures" in said


def test_a_file_that_was_int8_already_is_not_compared_with_itself():
    sentence = verdict.of_given(found(0))
    assert sentence.startswith(
        "This file is INT8 already and keeps its own ranges: its AP is 1.0000 on 96 objects in 24"
    )
    assert "cannot say what INT8 costs" in sentence and "lost" not in sentence
    assert "it finds 96 boxes in 24 pictures" in verdict.of_given(found(0, labelled=False))
    assert "edge-identify" in verdict.of_given(blind(COUNT))


def data(labels, *class_ids) -> Dataset:
    truths = tuple(Truth(np.zeros((1, 4)), np.array([number]), np.zeros(1, bool)) for number in class_ids)
    return Dataset("d", ("a.png",) * len(truths), truths, labels)


def ignored(labelled: Dataset, count: int) -> Dataset:
    """The first pictures show only difficult objects."""
    truths = [replace(each, difficult=np.ones(len(each.class_id), bool)) for each in labelled.truths[:count]]
    return replace(labelled, truths=(*truths, *labelled.truths[count:]))


@pytest.mark.parametrize(
    ("labelled", "reason"),
    [
        (data(("cat", "dog"), 0, 1), ""),
        (data(("cat", "cell"), 0, 1), ""),
        (data((), 0, 1), ""),
        (Dataset("d", ("a.png",), (), ()), ""),
        (data(("cell", "platelet"), 0), "share no class"),
        (data(("cat", "cell"), 1, 1), "no object of a class of the model"),
        (data((), 0, 7), "class number 7, the model has 2 classes"),
        (ignored(data(("cat", "dog"), 0, 1), 2), "only difficult objects or crowds"),
        (ignored(data(("cat", "dog"), 0, 1), 1), ""),
    ],
)
def test_labels_of_other_classes_are_no_labels(labelled, reason):
    said = verdict.against_labels(labelled, ("cat", "dog"), (0, 1))
    assert reason in said and bool(reason) is bool(said)


def test_samples_of_all_images_are_the_average_precision():
    some = found(2.0)
    all_of_them = np.arange(COUNT)
    (sample,) = coco.resampled(some.rows, some.truths, 3, [all_of_them])
    assert sample == pytest.approx(coco.average_precision(some.rows, some.truths, 3)[0]["AP"])


def test_a_sample_is_the_average_precision_of_its_images():
    some, draw = found(2.0), np.random.default_rng(3).integers(0, COUNT, COUNT)
    (sample,) = coco.resampled(some.rows, some.truths, 3, [draw])
    rows, truths = [some.rows[k] for k in draw], [some.truths[k] for k in draw]
    assert sample == pytest.approx(coco.average_precision(rows, truths, 3)[0]["AP"])


@pytest.mark.parametrize(("other", "int8_ms", "expected"), [
    (found(0, miss=3), 5.0, "Do not use INT8 if accuracy is important"),
    (found(0), 5.0, "These 24 pictures cannot say whether to use INT8: 2.0 times as fast"),
])  # fmt: skip
def test_recommendation(other, int8_ms, expected):
    sentence = verdict.recommendation(verdict.compare_models(found(0), other), {"fp32": 10.0, "int8": int8_ms}, 0.5)
    assert sentence.startswith(expected) and sentence.endswith(".") and "boxes in 24 pictures" in sentence


def test_enough_of_the_same_is_recommended():
    some = found(0)
    many = replace(some, rows=some.rows * 20, truths=some.truths * 20)
    result = verdict.compare_models(many, many)
    for int8_ms, expected in ((5.0, "Use INT8: 2.0 times as fast"), (10.0, "INT8 brings little on this machine: no")):
        assert verdict.recommendation(result, {"fp32": 10.0, "int8": int8_ms}, 0.5).startswith(expected)
