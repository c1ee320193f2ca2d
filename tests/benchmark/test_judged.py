"""Two results are judged by the same rules as two precisions: by pairs of samples, never a file against itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibrate.test_verdict import COUNT, found

from edge_runtime.accuracy import evaluate
from edge_runtime.benchmark import judged
from edge_runtime.calibrate import verdict

pytest.importorskip("pycocotools")
PATHS = [f"{number}.png" for number in range(COUNT)]


def row(seen, engine: str, fps: float = 50.0, paths=PATHS) -> dict:
    evaluation = evaluate.measure(seen)
    accuracy = {"metric": "voc07_11pt", "value": evaluation.voc07_11pt}
    return {"engine_sha256": engine, "fps": fps, "accuracy": accuracy, "ap": judged.seen(evaluation, paths)}


BEFORE = row(found(0), "a")


def test_a_loss_is_the_one_that_the_verdict_has():
    after = row(found(3.0), "b", 100.0)
    words = judged.sentence(BEFORE, after, 0.5)
    same = verdict.compare_models(found(0), found(3.0))
    assert "2.0 times as fast as the first here" in words and f"{same.drop:.2f} points of AP lost" in words
    assert f"at most {same.evidence.interval[1]:.2f} (95 %; 96 boxes in 24 pictures)" in words


def test_few_pictures_recommend_nothing():
    assert judged.sentence(BEFORE, row(found(0), "b"), 0.5).startswith(
        "These 24 pictures cannot say whether to use the"
    )


def test_many_pictures_do():
    some = found(0)
    many = replace(some, rows=some.rows * 20, truths=some.truths * 20)
    first, second = (row(many, name, fps, PATHS * 20) for name, fps in (("a", 50.0), ("b", 80.0)))
    words = judged.sentence(first, second, 0.5)
    assert words.startswith("Use the second: 1.6 times as fast as the first here; 0.00 points of AP lost, at most 0.16")


def test_pictures_in_which_nothing_is_found_cannot_say():
    none = np.zeros((0, 6), np.float32)
    empty = replace(found(0), rows=(none,) * COUNT)
    assert "cannot say what the second costs" in judged.sentence(row(empty, "a"), row(empty, "b"), 0.5)


def test_labels_that_do_not_count_cannot_say():
    """AP is then -1 for both, which is no loss of 0."""
    some = found(0)
    truths = tuple(replace(truth, crowd=np.ones(len(truth.class_id), bool)) for truth in some.truths)
    crowd = replace(some, rows=some.rows * 20, truths=truths * 20)
    said = judged.sentence(row(crowd, "a", paths=PATHS * 20), row(crowd, "b", paths=PATHS * 20), 0.5)
    assert "the labels have no object that counts" in said and "Use" not in said and "points" not in said


def test_a_model_that_finds_nothing_that_is_labelled_is_the_finding():
    some = found(0)
    away = replace(some, rows=tuple(rows + np.array([500, 500, 500, 500, 0, 0], "f") for rows in some.rows * 20),
                   truths=some.truths * 20)  # fmt: skip
    said = judged.sentence(row(away, "a", paths=PATHS * 20), row(away, "b", paths=PATHS * 20), 0.5)
    assert "almost nothing of what is labelled (AP50 0.000)" in said and "edge-identify" in said and "Use" not in said


def test_other_pictures_of_the_same_names_are_other_pictures(tmp_path):
    (tmp_path / "0.png").write_bytes(b"one")
    first = row(found(0), "a", paths=[str(tmp_path / name) for name in PATHS])
    (tmp_path / "0.png").write_bytes(b"two")
    second = row(found(0), "b", paths=[str(tmp_path / name) for name in PATHS])
    assert "other pictures or labels" in judged.sentence(first, second, 0.5)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (row(found(0), "a"), "of the same file"),
        (row(found(0), "b", paths=PATHS[::-1]), "other pictures or labels"),
        ({**row(found(0), "b"), "ap": {**BEFORE["ap"], "samples": []}}, "how certain"),
        ({**row(found(0), "b"), "ap": {k: v for k, v in BEFORE["ap"].items() if k != "ap50"}}, "measure again"),
        ({"engine_sha256": "b", "accuracy": {"metric": "voc07_11pt", "value": 0.3}}, "how certain"),
        ({"engine_sha256": "b"}, ""),
    ],
)
def test_what_cannot_be_compared(after, words):
    said = judged.sentence(BEFORE, after, 0.5)
    assert words in said and "Use" not in said and bool(words) is bool(said)
