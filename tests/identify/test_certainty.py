"""How sure: entries that random samples of the pictures do not tell apart are named, and the usual one is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.identify import certainty
from edge_runtime.identify.agreement import Agreement
from edge_runtime.identify.candidates import candidates, read_model
from edge_runtime.identify.contest import Entry
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags

PICTURES = 20
# Confidence that agrees, and that does not, of picodet_s_416_coco.onnx on two photographs that come along and ten more.
WRONG_ORDER = (
    (0.59, 0.09), (0.53, 0.04), (1.79, 0.15), (1.27, 0.14), (0.57, 0.0), (1.23, 0.12), (1.5, 0.01), (0.6, 0.05),
    (0.58, 0.0), (0.59, 0.02), (0.59, 0.02), (1.11, 0.14),
)  # fmt: skip
RIGHT_ORDER = (
    (0.55, 0.12), (0.54, 0.06), (1.82, 0.15), (1.18, 0.17), (0.57, 0.0), (1.09, 0.71), (1.44, 0.17), (0.6, 0.07),
    (0.58, 0.0), (0.61, 0.03), (0.61, 0.03), (1.09, 0.14),
)  # fmt: skip


@pytest.fixture
def entry(tmp_path: Path):
    path = write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    flags = ModelFlags(family="yolo_v8")
    first = candidates(read_model(path, onnx_file.read_io, flags), flags, False)[0]

    def make(resize: str, agreed: Sequence[float]) -> Entry:
        weighed = [np.array([value, 0.1]) for value in agreed]
        return Entry(first.resized(resize), OutputReader(first.model), weighed)

    return make


def test_a_clear_winner_is_sure(entry) -> None:
    better, worse = entry("stretch", [0.8] * PICTURES), entry("letterbox", [0.3] * PICTURES)
    drawn = certainty.samples(Agreement(), [better, worse])
    assert certainty.choose([better, worse], drawn) is better and certainty.decided(Agreement(), [better, worse])
    (rival,) = certainty.rivals(better, [better, worse], drawn)
    assert (rival.dimension, rival.value, rival.ahead, rival.told_apart) == ("resize", "letterbox", 1.0, True)
    assert certainty.near([better, worse], drawn) == [better]


def test_chance_leaves_it_open_and_the_usual_one_wins(entry) -> None:
    noise = np.random.default_rng(5).uniform(0, 1, PICTURES)
    better, usual = entry("stretch", [*noise[1:], noise[0] + 0.01]), entry("letterbox", noise)
    drawn = certainty.samples(Agreement(), [better, usual])
    (rival,) = certainty.rivals(better, [better, usual], drawn)
    assert not rival.told_apart and certainty.choose([better, usual], drawn) is usual
    assert certainty.near([better, usual], drawn) == [better, usual]
    assert not certainty.decided(Agreement(), [better, usual])


def test_one_picture_of_a_dozen_is_not_sure(entry) -> None:
    """Measured: a detector trained on RGB, on a dozen well-known pictures, in the wrong order (first) and the right."""
    wrong, right = entry("stretch", [0.0]), entry("letterbox", [0.0])
    wrong.weighed = [np.array(pair) for pair in WRONG_ORDER]
    right.weighed = [np.array(pair) for pair in RIGHT_ORDER]
    assert certainty.ahead(*certainty.samples(Agreement(), [wrong, right]).values()) > certainty.SURE
    cautious = certainty.samples(Agreement(), [wrong, right], certainty.CAUTIOUS)
    (rival,) = certainty.rivals(wrong, [wrong, right], cautious)
    assert not rival.told_apart and not certainty.decided(Agreement(), [wrong, right])


def test_the_same_pictures_give_the_same_answer(entry) -> None:
    one = entry("stretch", np.linspace(0, 1, PICTURES))
    first, second = (certainty.samples(Agreement(), [one])[id(one)] for _ in range(2))
    assert np.array_equal(first, second) and first.std() > 0
