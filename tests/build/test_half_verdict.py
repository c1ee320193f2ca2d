"""The words about float16, and how far boxes move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.accuracy.evidence import AGREEMENT, Evidence
from edge_runtime.build.half_study import Layer, Study
from edge_runtime.build.half_verdict import HalfVerdict, movement

STUDY = Study((), {"decodes boxes": 3}, 90, (), ("t", "Conv t", 21.0), 0, 1000, 2)
SEEN = Evidence(AGREEMENT, 0.0, 0.0, 0.0, 4, 2)
VERDICT = HalfVerdict(STUDY, "photos", SEEN, 0.04, 0.1, 0.0002)


def rows(*boxes):
    return np.array(boxes, np.float32).reshape(-1, 6)


def test_how_far_boxes_move():
    before = rows([0, 0, 10, 10, 0.9, 1], [50, 50, 90, 90, 0.8, 2], [0, 0, 5, 5, 0.1, 1])
    after = rows([53, 50, 90, 91, 0.8, 2], [0.5, 0, 10, 10, 0.9, 1], [50, 50, 90, 90, 0.8, 1])
    assert movement(before, after) == pytest.approx([0.5, 3])
    assert movement(before, rows([500, 500, 510, 510, 0.9, 1])).size == 0, "that is another object"
    assert movement(rows(), before).size == movement(before, rows()).size == 0


def test_the_sentence_names_its_evidence():
    said = VERDICT.sentence()
    assert said.startswith("These 2 pictures cannot say whether to use float16: 0.00 points of agreement lost")
    assert "4 boxes in 2 pictures" in said and "0.04 px" in said and "(photos)" in said
    many = replace(VERDICT, evidence=replace(SEEN, boxes=400, pictures=64))
    assert many.sentence().startswith("Use float16: ") and "400 boxes in 64 pictures" in many.sentence()
    lossy = replace(many, evidence=replace(many.evidence, drop=30.0, low=25.0, high=35.0))
    assert lossy.sentence().startswith("Do not use float16") and lossy.agreement == pytest.approx(0.7)


def test_without_boxes_nothing_can_be_said():
    said = replace(VERDICT, evidence=replace(SEEN, boxes=0, pictures=1)).sentence()
    assert said.startswith("This picture cannot say what float16 costs: neither float32 nor float16 finds a box in it.")


def test_notes():
    assert VERDICT.notes() == []
    kept = tuple(Layer(f"c{k}", f"Conv c{k}", "its values reach 1e+05") for k in range(6))
    study = replace(STUDY, peaks=(("c1", "Conv c1", 1e5), ("c2", "Conv c2", 7e4)), kept=kept, vanished=12)
    first, second, third, fourth = replace(VERDICT, study=study, problem="it fails").notes()
    assert first == "float16 ends at 65504: c1 of Conv c1 reaches 1e+05 (2 tensors in all); it stays in float32"
    assert second.startswith("6 layers stay in float32: Conv c0 (its values reach 1e+05), ") and "and 2 more" in second
    assert third.startswith("12 of 1000 weights") and "--precision fp32" in fourth


def test_forms_that_do_not_run_are_said():
    bad = replace(VERDICT, problem="the outputs are not finite")
    assert bad.sentence() == "float16 cannot be compared with float32: the outputs are not finite"
    assert "--precision fp32" in bad.notes()[-1]


def test_the_passport_gets_plain_data():
    about = VERDICT.summary()
    assert about["boxes"] == 4 and about["pictures"] == 2 and about["float32_kinds"] == {"decodes boxes": 3}
    assert about["verdict"] == VERDICT.sentence() and "on the CPU" in about["compared"]
