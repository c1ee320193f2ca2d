"""The governor in a closed loop with boards made of the recorded ones: it converges, holds, and does not swing."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import power
from edge_runtime.energy.governor import LONGEST_RETRY_S, LOOK_S, Decision, Goal, Governor, OperatingPoint, Seen

ENGINE_MS = (1.0, 0.5)  # of the first engine's time, that each takes


@dataclass
class Board:
    """A board that draws its idle watts, and the rest in proportion to how busy it is.

    Attributes:
        idle_w, load_w: by power mode.
        capacity_fps: of the first engine, by power mode.
        source_fps: what the camera gives.
        weight: what a frame costs now, as a scene may.
    """

    idle_w: Tuple[float, ...]
    load_w: Tuple[float, ...]
    capacity_fps: Tuple[float, ...]
    source_fps: float = 60.0
    weight: float = 1.0
    noise: float = 0.01
    random: random.Random = field(default_factory=lambda: random.Random(7))

    def run(self, setting: OperatingPoint) -> Seen:
        """Two seconds at a setting."""
        cost_ms = 1e3 / self.capacity_fps[setting.mode] * ENGINE_MS[setting.engine] * self.weight
        fps = min(1e3 / cost_ms, self.source_fps, setting.pace_fps or 1e9)
        busy, idle_w = fps * cost_ms / 1e3, self.idle_w[setting.mode]
        watts = idle_w + busy * (self.load_w[setting.mode] - idle_w)
        return Seen(fps, cost_ms, watts * (1 + self.random.uniform(-self.noise, self.noise)))


@pytest.fixture
def xavier(board_tree, under_load) -> Board:
    """AGX Xavier at 15 and 30 W: recorded idle and loaded watts, and the rates published for them."""
    watts: List[List[float]] = []
    for name in ("agx-xavier_l4t32", "agx-xavier_l4t35"):
        root = board_tree(name)
        meter = power.open(root)
        whole = power.total_of(meter.rails)
        watts.append([whole.watts(meter.read_w())])
        under_load(root)
        watts[-1].append(whole.watts(meter.read_w()))
    (idle_15, load_15), (idle_30, load_30) = watts
    return Board((idle_15, idle_30), (load_15, load_30), (26.9, 48.2))


def closed_loop(
    board: Board, governor: Governor, seconds: float, event: Callable[[float], None] = lambda now_s: None
) -> Tuple[List[Seen], List[Tuple[float, Decision]]]:
    """What was seen, and what was decided when."""
    seen, made = [], []
    for look in range(int(seconds / LOOK_S)):
        event(look * LOOK_S)
        seen.append(board.run(governor.setting))
        decision = governor.look(seen[-1], look * LOOK_S)
        if decision:
            made.append((look * LOOK_S, decision))
            assert decision.reason
    return seen, made


def mean(values: List[float]) -> float:
    return sum(values) / len(values)


def test_a_rate_that_is_easy_is_held_by_skipping_frames(xavier):
    governor = Governor(Goal(fps=15.0), engines=2, modes=2, setting=OperatingPoint(mode=1))
    seen, made = closed_loop(xavier, governor, 300)
    assert all(one.fps == 15.0 for one in seen) and governor.setting.engine == 0
    assert [decision.reason for _, decision in made] == ["31% busy: a smaller mode"]
    assert governor.setting.mode == 0 and mean([one.watts for one in seen[-30:]]) < seen[0].watts + 2


def test_a_rate_beyond_a_mode_takes_a_bigger_one(xavier):
    governor = Governor(Goal(fps=40.0), engines=2, modes=2)
    seen, made = closed_loop(xavier, governor, 300)
    assert governor.setting == OperatingPoint(0, 1, 40.0) and seen[-1].fps == 40.0
    assert [decision.reason for _, decision in made] == ["26.9 FPS are short of 40: a bigger power mode"]


def test_a_rate_beyond_every_mode_takes_a_lighter_engine(xavier):
    governor = Governor(Goal(fps=55.0), engines=2, modes=2)
    seen, _ = closed_loop(xavier, governor, 300)
    assert governor.setting.engine == 1 and seen[-1].fps >= 0.95 * 55


def test_a_rate_beyond_everything_is_said_once(xavier):
    governor = Governor(Goal(fps=55.0), modes=2)
    _, made = closed_loop(xavier, governor, 300)
    assert [decision.reason for _, decision in made][1:] == ["48.2 FPS are short of 55, and there is nothing faster"]


def test_a_slow_camera_is_no_reason_to_change_anything(xavier):
    xavier.source_fps = 10.0
    assert closed_loop(xavier, Governor(Goal(fps=15.0), engines=2, modes=2), 300)[1] == []


def test_a_budget_is_held_by_skipping_frames(xavier):
    governor = Governor(Goal(watts=10.0), idle_w=xavier.idle_w[0])
    seen, made = closed_loop(xavier, governor, 300)
    held = [one.watts for one in seen[-60:]]
    assert max(held) < 10.2 and mean(held) > 9.0 and governor.setting.pace_fps == pytest.approx(12, abs=2.5)
    assert "13.7 W are over the budget of 10 W: at most" in made[0][1].reason and len(made) <= 4


def test_a_budget_takes_a_smaller_mode_first(xavier):
    governor = Governor(Goal(watts=14.0), modes=2, setting=OperatingPoint(mode=1), idle_w=xavier.idle_w[1])
    seen, made = closed_loop(xavier, governor, 300)
    assert governor.setting.mode == 0 and made[0][1].reason.endswith("a smaller power mode")
    assert max(one.watts for one in seen[-60:]) < 1.02 * 14.0 and seen[-1].fps == 26.9


def test_a_budget_and_a_rate_take_the_lighter_engine(xavier):
    """15 FPS of the first engine draw 10.7 W; of the second 8.8."""
    governor = Governor(Goal(fps=15.0, watts=9.5), engines=2, idle_w=xavier.idle_w[0])
    seen, _ = closed_loop(xavier, governor, 300)
    assert governor.setting.engine == 1 and seen[-1].fps == 15.0 and mean([one.watts for one in seen[-60:]]) < 9.5


def test_the_budget_comes_before_the_rate(xavier):
    governor = Governor(Goal(fps=25.0, watts=9.0), idle_w=xavier.idle_w[0])
    seen, _ = closed_loop(xavier, governor, 300)
    assert max(one.watts for one in seen[-60:]) < 1.03 * 9.0 and 5 < seen[-1].fps < 25


def test_a_budget_below_idle_is_said_once(xavier):
    governor = Governor(Goal(watts=5.0), idle_w=xavier.idle_w[0])
    seen, made = closed_loop(xavier, governor, 300)
    assert seen[-1].fps <= 1.05 and made[-1][1].reason.endswith("and nothing is left to take away")
    assert sum("nothing is left" in decision.reason for _, decision in made) == 1


def test_a_scene_that_grows_heavy_and_light_again(xavier):
    def event(now_s: float) -> None:
        xavier.weight = 2.5 if 100 <= now_s < 400 else 1.0

    governor = Governor(Goal(fps=15.0), engines=2, modes=2)
    seen, made = closed_loop(xavier, governor, 900, event)
    assert all(one.fps >= 0.95 * 15 for one in seen[70:200]) and all(one.fps == 15.0 for one in seen[-100:])
    assert governor.setting.engine == 0 and governor.setting.mode == 0 and len(made) <= 5


def test_what_failed_is_tried_ever_more_seldom(xavier):
    """A rate between two engines: the heavier one is short, the lighter one looks idle."""
    governor = Governor(Goal(fps=30.0), engines=2)
    governor._fits = lambda engine, mode: True  # as if nothing were known of it
    _, made = closed_loop(xavier, governor, 3600)
    back = [now_s for now_s, decision in made if "engine before" in decision.reason]
    pauses = [later - earlier for earlier, later in zip(back, back[1:])]
    assert 3 <= len(back) <= 8 and all(
        later > min(1.5 * earlier, 0.95 * LONGEST_RETRY_S) for earlier, later in zip(pauses, pauses[1:])
    )


def test_noise_changes_nothing(xavier):
    xavier.noise = 0.05
    governor = Governor(Goal(watts=10.0), idle_w=xavier.idle_w[0])
    _, made = closed_loop(xavier, governor, 1800)
    assert sum(now_s > 600 for now_s, _ in made) <= 3


def test_nothing_is_heard_while_a_mode_settles(xavier):
    governor = Governor(Goal(fps=40.0), modes=2, settle_s=20.0)
    _, made = closed_loop(xavier, governor, 10)
    assert len(made) == 1
    assert governor.look(Seen(1.0, 1000.0), made[0][0] + 19.0) is None


def test_without_watts_a_budget_is_never_exceeded_nor_held():
    governor = Governor(Goal(watts=10.0))
    assert all(governor.look(Seen(20.0, 10.0, None), now_s) is None for now_s in range(60))


@given(
    idle_w=st.floats(2, 8), span_w=st.floats(3, 25), capacity=st.floats(8, 80), growth=st.floats(1.2, 2.5),
    goal_fps=st.one_of(st.none(), st.floats(3, 60)), goal_w=st.one_of(st.none(), st.floats(4, 40)),
    begin=st.integers(0, 1), known=st.booleans(),
)  # fmt: skip
def test_any_board_and_goal(idle_w, span_w, capacity, growth, goal_fps, goal_w, begin, known):
    """It comes to rest, keeps a budget that can be kept, and holds a rate that can be held without one."""
    board = Board(
        (idle_w, 1.2 * idle_w), (idle_w + span_w, 1.2 * idle_w + 1.8 * span_w), (capacity, growth * capacity), noise=0.0
    )
    goal = Goal(goal_fps, goal_w)
    governor = Governor(goal, 2, 2, OperatingPoint(mode=begin), idle_w=idle_w if known else None)
    seen, made = closed_loop(board, governor, 1200)
    assert sum(now_s > 900 for now_s, _ in made) <= 2, [decision.reason for _, decision in made]
    last = seen[-1]
    least_w = idle_w + 2 * span_w * ENGINE_MS[1] / capacity  # a smaller mode, a lighter engine, two frames a second
    if goal_w is not None and goal_w > 1.1 * least_w:
        assert last.watts < 1.05 * goal_w
    if goal_w is None and goal_fps is not None:
        assert last.fps >= 0.95 * min(goal_fps, board.source_fps, growth * capacity / ENGINE_MS[1])


def test_the_boards_of_the_tests_are_the_recorded_ones(xavier, shared: Path):
    assert (round(xavier.load_w[0], 3), round(xavier.load_w[1], 3)) == (13.650, 29.874)
    said: Optional[str] = json.loads((shared / "fixtures/jetson/agx-xavier_l4t32.json").read_text(encoding="utf-8"))[
        "about"
    ]
    assert said and "13.7 W" in said
