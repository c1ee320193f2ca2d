"""The contest: equal inputs share a run, all survivors have seen the same pictures, and time ends it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import List, Sequence

import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.identify.agreement import Agreement
from edge_runtime.identify.candidates import SCALES, Candidate, candidates, read_model, resizes
from edge_runtime.identify.contest import Contest, Round
from edge_runtime.identify.network import Network
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags

pytest.importorskip("onnxruntime")
FLAGS = ModelFlags(family="yolo_v8", labels="a,b,c")
COMBINATIONS = 2 * len(SCALES)
VIEWS = 2  # of the first pictures


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """It finds the same box in all pictures."""
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 60, 60, 0.9, 1))})


class Even(Agreement):
    """For this judge all candidates are equally good."""

    def score(self, candidate: Candidate, weighed: Sequence[np.ndarray]) -> float:
        return 1.0


def contest(path: str, shape: tuple, count: int, limit_s: float = 100.0) -> Contest:
    model = read_model(path, onnx_file.read_io, FLAGS)
    images = [np.full((*shape, 3), 60 + number, np.uint8) for number in range(count)]
    return Contest(Network(path, model.io, 1), Even(), images, candidates(model, FLAGS, True), limit_s)


def hold(held: Contest, *rounds: Round) -> None:
    held.hold(rounds, partial(resizes, flags=FLAGS), lambda entries: False, lambda done, phase: None)


def test_resizes_of_the_best_join_and_see_every_picture(tiny: str) -> None:
    held = contest(tiny, (64, 48), 4)
    hold(held, Round(2, 0.0, 99, 1.0, resizes=True), Round(4, 0.0, 99, 1.0))
    assert len(held.entries) == COMBINATIONS + 2 and not held.cut
    assert {len(entry.weighed) for entry in held.entries} == {4} == {len(entry.rows) for entry in held.entries}


def test_equal_inputs_share_a_run(tiny: str) -> None:
    """A square picture looks the same with every resize, except for the copy that is cut."""
    square = contest(tiny, (64, 64), 1)
    hold(square, Round(1, 0.0, 99, 1.0, resizes=True))
    assert square._network.runs <= COMBINATIONS * VIEWS + 2 * VIEWS


def test_only_so_many_go_on(tiny: str) -> None:
    held = contest(tiny, (64, 48), 3)
    hold(held, Round(1, 0.0, 3, 1.0), Round(3, 0.0, 99, 1.0))
    assert len(held.entries) == 3 and len(held.dropped) == COMBINATIONS - 3
    assert {len(entry.weighed) for entry in held.dropped} == {1}
    assert held.entries[0].candidate.spec.color == "rgb" and held.entries[0].candidate.scale == "0..1", "the usual one"


def test_time_ends_it_after_a_whole_picture(tiny: str) -> None:
    held = contest(tiny, (64, 48), 5, limit_s=0.0)
    hold(held, Round(2, 0.0, 99, 0.5), Round(5, 0.0, 99, 1.0))
    assert held.cut and {len(entry.weighed) for entry in held.entries} == {1}


def test_a_decided_contest_ends_early(tiny: str) -> None:
    held, asked = contest(tiny, (64, 48), 3), []  # type: ignore[var-annotated]

    def decided(entries: List[object]) -> bool:
        asked.append(len(entries))
        return True

    rounds = (Round(1, 0.0, 2, 1.0, resizes=True), Round(3, 0.0, 99, 1.0))
    held.hold(rounds, partial(resizes, flags=FLAGS), decided, lambda done, phase: None)  # type: ignore[arg-type]
    assert asked == [4] and {len(entry.weighed) for entry in held.entries} == {1} and not held.cut


def test_the_resize_of_the_best_is_tried_with_every_colour(tiny: str) -> None:
    """A resize that joined and became the best is tried with what else is left, before anything is chosen."""

    class Stretched(Even):
        def score(self, candidate: Candidate, weighed: Sequence[np.ndarray]) -> float:
            return 2.0 if candidate.spec.resize == "stretch" else 1.0

    held = contest(tiny, (64, 48), 3)
    held._judge = Stretched()
    hold(held, Round(1, 0.0, 99, 1.0, resizes=True), Round(2, 0.0, 99, 1.0, resizes=True), Round(3, 0.0, 99, 1.0))
    stretched = [entry for entry in held.entries if entry.candidate.spec.resize == "stretch"]
    assert len(stretched) == COMBINATIONS and {len(entry.weighed) for entry in held.entries} == {3}
