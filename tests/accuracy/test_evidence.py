"""What may be said about a loss: never more than boxes and pictures allow, and always how many there were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.accuracy import evidence
from edge_runtime.accuracy.evidence import AGREEMENT, AP, AVOID, UNKNOWN, USE, Evidence, sentence
from edge_runtime.errors import ModelError

MANY = Evidence(AP, 0.1, -0.2, 0.5, 3000, 400)


def said(found: Evidence, gain=None, max_drop=0.5, extra="") -> str:
    return sentence("fp32", "INT8", found, max_drop, gain, extra)


def test_no_box_no_recommendation():
    for pictures, these in ((12, "These 12 pictures"), (1, "This picture")):
        words = said(Evidence(AGREEMENT, 0.0, 0.0, 0.0, 0, pictures), 3.0)
        assert words.startswith(f"{these} cannot say what INT8 costs: neither fp32 nor INT8 finds a box")
        assert "Use" not in words and "points" not in words and "times as fast" not in words


@pytest.mark.parametrize(("boxes", "most"), [(3, 100.0), (11, 27.27), (300, 1.0), (3000, 0.1)])
def test_none_lost_of_n_leaves_three_of_n_possible(boxes, most):
    found = Evidence(AP, 0.0, 0.0, 0.0, boxes, 4)
    assert found.interval == (pytest.approx(-most, abs=0.01), pytest.approx(most, abs=0.01))
    assert f"0.00 points of AP lost, at most {most:.2f} (95 %; {boxes} boxes in 4 pictures)" in said(found)


@pytest.mark.parametrize(
    ("found", "answer", "begins"),
    [
        (Evidence(AP, 0.0, 0.0, 0.0, 11, 4), UNKNOWN, "These 4 pictures cannot say whether to use INT8: 2.0 times"),
        (MANY, USE, "Use INT8: 2.0 times as fast as fp32 here; 0.10 points of AP lost, at most 0.50 (95 %; 3000 boxes"),
        (Evidence(AP, -0.3, -0.9, 0.4, 3000, 400), USE, "Use INT8: 2.0 times as fast as fp32 here; 0.30 points of AP "
         "gained, at most 0.40 lost (95 %; 3000 boxes in 400 pictures)."),
        (Evidence(AP, 0.4, -1.5, 2.3, 3000, 400), UNKNOWN, "These 400 pictures cannot say"),
        (Evidence(AP, 8.2, 6.0, 10.0, 900, 400), AVOID, "Do not use INT8 if accuracy is important: "),
        (Evidence(AP, 8.2, -1.0, 15.0, 900, 400), UNKNOWN, "These 400 pictures cannot say"),
        (Evidence(AP, 40.0, 30.0, 50.0, 6, 3), UNKNOWN, "These 3 pictures cannot say"),
        (Evidence(AGREEMENT, 5.1, 3.6, 6.4, 416, 150), USE, "Use INT8: 2.0 times as fast as fp32 here; 5.10 points of "
         "agreement lost, at most 6.40 (95 %; 416 boxes in 150 pictures)."),
        (Evidence(AGREEMENT, 13.3, 10.8, 15.7, 438, 150), AVOID, "Do not use"),
        (Evidence(AGREEMENT, 13.3, 9.8, 15.7, 438, 150), UNKNOWN, "These 150 pictures cannot say"),
        (Evidence(AGREEMENT, 0.0, 0.0, 0.0, 1, 1), UNKNOWN, "This picture cannot say whether to use INT8: 2.0 times as "
         "fast as fp32 here; 0.00 points of agreement lost, at most 100.00 (95 %; 1 box in 1 picture)."),
    ],
)  # fmt: skip
def test_the_answer_is_what_the_evidence_carries(found, answer, begins):
    assert found.answer(0.5) == answer
    assert said(found, 2.0).startswith(begins)


@given(
    metric=st.sampled_from([AP, AGREEMENT]), drop=st.floats(-5, 90), low=st.floats(0, 9), high=st.floats(0, 9),
    boxes=st.integers(0, 5000), pictures=st.integers(1, 500), max_drop=st.floats(0, 5),
)  # fmt: skip
def test_it_never_recommends_what_may_lose_more_than_it_says(metric, drop, low, high, boxes, pictures, max_drop):
    found = Evidence(metric, drop, drop - low, drop + high, boxes, pictures)
    words = said(found, 2.0, max_drop)
    if words.startswith("Use"):
        least, most = found.interval
        assert boxes > 0 and least <= drop <= most <= evidence.limits(metric, max_drop)[1]
        assert most - drop >= 300 / boxes - 1e-6 and f"at most {most:.2f}" in words
    assert str(pictures) in words or pictures == 1
    assert not boxes or f"{boxes} box" in words


def test_speed_and_other_facts():
    assert said(MANY).startswith("Use INT8: 0.10 points of AP lost")
    assert said(MANY, 1.02).startswith("INT8 brings little on this machine: no faster than fp32 here (1.02x); ")
    assert said(MANY, 2.0, extra="12 % of the work stays in float").endswith("; 12 % of the work stays in float.")
    assert sentence("float32", "float16", MANY, 0.5).startswith("Use float16: ")


def test_the_user_sets_what_may_be_lost():
    lost = Evidence(AP, 3.0, 2.0, 4.0, 3000, 400)
    answers = [lost.answer(most) for most in (0.0, 0.5, 3.0, float("inf"))]
    assert answers == [AVOID, AVOID, USE, USE]
    assert evidence.limits(AP, 0.5)[:2] == (0.5, 2.0) and evidence.limits(AGREEMENT, 0.5) == (10.0, 15.0, 10.0)
    assert Evidence(AGREEMENT, 0.0, 0.0, 0.0, 1, 1).answer(30.0) == UNKNOWN, "one box never recommends"


@pytest.mark.parametrize(
    ("drop", "words"), [(-0.04, "0.04 points gained"), (0.5, "0.50 points lost"), (0, "0.00 points lost")]
)
def test_points_are_lost_or_gained_and_never_negative(drop, words):
    assert evidence.points(drop) == words
    assert evidence.points(drop, " of AP") == words.replace("points", "points of AP")


def test_evidence_is_written_and_read():
    assert Evidence.from_json(MANY.to_json()) == MANY


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "m.onnx: it "),
        ("[]", "a list and not an object"),
        (MANY.to_json().replace("0.1", '"x"'), "drop is 'x'"),
        (MANY.to_json().replace('"AP"', '"F1"'), "metric is 'F1'"),
        (MANY.to_json().replace("3000", "-1"), "boxes is -1"),
        (MANY.to_json().replace("-0.2", "NaN"), "m.onnx: "),
        ('{"metric": "AP"}', "drop is None"),
    ],
)
def test_damaged_evidence_is_refused(text, fact):
    with pytest.raises(ModelError) as caught:
        Evidence.from_json(text, "m.onnx: ")
    assert fact in str(caught.value)
