"""Boards of known rows: what meets a budget, what is near it, and what cannot be said."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from edge_runtime.planning import words
from edge_runtime.planning.board import Way, boards
from edge_runtime.planning.budget import LIKELY, SURE, Budget
from edge_runtime.planning.search import most_fps, search

AP = {"value": 0.35, "samples": [0.33, 0.35, 0.37], "boxes": 9, "pictures": 3, "data": "d", "ap50": 0.5, "objects": 4}


def row(
    engine: str = "a.plan", mode: Any = "15W", fps: float = 40.0, mean_w: Any = 10.0, **more: Any
) -> Dict[str, Any]:
    about = {"engine": engine, "mode": mode, "batch": 1, "streams": 1, "board": "B", "valid": True, "reasons": []}
    figures = {"fps": fps, "fps_low": fps, "fps_high": fps, "mean_w": mean_w, "idle_w": 4.0, "scope": "module_input"}
    return {**about, "notes": [], **figures, "source": "synthetic://1280x720", "ap": AP, **more}


LOW = {**AP, "value": 0.2}
FOUR = [row(), row(mode="30W", fps=80.0, mean_w=20.0, idle_w=5.0), row("b.plan", fps=80.0, mean_w=9.0, ap=LOW),
        row("b.plan", "30W", 150.0, 18.0, idle_w=5.0, ap=LOW)]  # fmt: skip


def test_the_best_ap_within_the_watts():
    plan = search(boards([FOUR]), Budget(watts=8.0, fps=10.0, cameras=2))
    best = plan.options[0]
    assert (best.way.engine, best.mode, best.state) == ("a.plan", "15W", SURE)
    assert best.watts.value == pytest.approx(7.0) and best.busy == pytest.approx(0.5)
    assert best.watts.low < 6.7 and 7.3 < best.watts.high
    assert any("on the line between 0 and 40 FPS" in line for line in best.assumed)
    assert any("streams 1, for cameras 2" in line for line in best.assumed)
    assert [option.way.engine for option in plan.options] == ["a.plan", "b.plan", "b.plan"], "30W: 5 + 2 W for b"
    assert plan.misses[0].mode == "30W" and plan.misses[0].watts.value == pytest.approx(8.75)


def test_ap_of_pictures_that_the_network_knows_is_not_sure():
    known = row("known.plan", study={"seen": "trained by others on VOC"}, ap={**AP, "value": 0.5, "samples": [0.5]})
    plan = search(boards([[*FOUR, known]]), Budget(watts=8.0, fps=10.0, ap=0.3))
    assert plan.options[0].way.engine == "a.plan", "what is sure comes first"
    last = next(option for option in plan.options if option.way.engine == "known.plan")
    assert last.state == LIKELY and last.ap.low == 0.0 and "trained by others on VOC" in last.assumed[-1]


def test_a_measured_rate_is_taken_as_it_is():
    slow = row(fps=20.0, mean_w=6.0, source="synthetic://1280x720@20")
    (board,) = boards([[*FOUR, slow]])
    watts = board.watts(Way("a.plan", 1, 1), "15W", 20.0)
    assert watts.value == 6.0 and not watts.assumed
    assert board.capacity(Way("a.plan", 1, 1), "15W").value == 40.0, "the slow row does not hide the fast one"
    (paced,) = boards([[slow]])
    assert "held the rate down" in paced.capacity(Way("a.plan", 1, 1), "15W").assumed[0]


def test_an_engine_that_was_not_measured_at_a_mode_is_predicted_and_comes_last():
    plan = search(boards([FOUR[:3]]), Budget(fps=30.0))
    (predicted,) = [option for option in plan.options if (option.way.engine, option.mode) == ("b.plan", "30W")]
    assert predicted.busy == pytest.approx(30 / 160) and plan.options[-1] is predicted
    assert any("FPS of b.plan at 30W: not measured" in line for line in predicted.assumed)


def test_a_gate_saves_watts_but_not_speed():
    budget = Budget(watts=7.6, fps=30.0, gate=0.3, ap=0.3)
    assert search(boards([FOUR]), Budget(watts=7.6, fps=30.0, ap=0.3)).options == []
    best = search(boards([FOUR]), budget).options[0]
    assert best.gate == 0.3 and best.mode == "15W" and best.busy == pytest.approx(0.75), "all cameras may see motion"
    assert best.watts.value == pytest.approx(4 + 0.3 * 4.5 + 0.1 * 0.7 * 4.5)
    assert any("the gate leaves out" in line for line in best.assumed)
    fast = search(boards([FOUR]), Budget(watts=7.6, fps=45.0, gate=0.1, ap=0.3))
    assert [option.mode for option in fast.options] == ["30W"], "15W is too slow while something moves"


def test_without_a_rate_the_most_is_taken():
    best = search(boards([FOUR]), Budget(watts=8.0, ap=0.3)).options[0]
    assert best.fps == pytest.approx(80 / 3, rel=1e-3) and best.state == LIKELY
    assert search(boards([FOUR]), Budget(watts=3.0)).options == [], "less than without work"


def test_what_cannot_be_judged_is_said():
    bare = row("bare.plan", ap=None, mean_w=None, idle_w=None)
    bare.pop("ap")
    plan = search(boards([[bare]]), Budget(watts=8.0))
    assert plan.options == plan.misses == [] and "watts were not measured" in plan.left_out[0]
    assert "AP was not measured" in search(boards([[bare]]), Budget(ap=0.3)).left_out[0]
    lonely = search(boards([[FOUR[0], row("b.plan", "30W")]]), Budget(fps=1.0))
    assert len(lonely.options) == 2 and all("no other engine links the modes" in line for line in lonely.left_out)


def test_ways_out_do_meet_the_budget():
    (board,), budget = boards([FOUR[:1]]), Budget(watts=6.0, energy_j=6.0 * 3600, seconds=3600, fps=20.0, ap=0.3)
    plan = search([board], budget)
    said = words.ways_out(plan.misses[0], board, budget)
    assert said == "--fps 13.33 or --gate 0.62, if no more of the frames has motion or --time 0.85h"
    assert "7.00" in words.miss(plan.misses[0]) and "at most 6 are wanted" in words.miss(plan.misses[0])
    for change in ({"fps": 13.33}, {"gate": 0.62}, {"watts": 6.0 / 0.85}):
        assert search([board], Budget(**{**vars(budget), **change})).options, change
    assert most_fps(board, Way("a.plan", 1, 1), "15W", 1.0, budget) == pytest.approx(40 / 3)


def test_rows_of_two_machines_stay_apart_and_later_ones_count():
    parts = [[row()], [row(fps=60.0)], [row(board="", cpu="AMD, cores 2", mode=None, mean_w=None)]]
    first, second = boards(parts)
    assert first.capacity(Way("a.plan", 1, 1), "15W").value == 60.0 and second.name == "AMD, cores 2"
    assert second.modes == ("",) and not boards([[row(valid=False)]])
