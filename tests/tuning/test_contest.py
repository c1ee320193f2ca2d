"""The trial's rules, with speeds from a table and a clock that stands still: no time is measured."""

from __future__ import annotations

from collections import Counter
from typing import Dict, List

import pytest

from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.tuning import contest
from edge_runtime.tuning.arrangements import LATENCY, THROUGHPUT, Arrangement
from edge_runtime.tuning.contest import Contest

A2, B2 = Arrangement("a", 2), Arrangement("b", 2)
A1, B1, A22 = Arrangement("a", 1), Arrangement("b", 1), Arrangement("a", 2, 2)
SPIN, SLEEP = Arrangement("a", 4, 1, True), Arrangement("a", 4, 1, False)


class Runner:
    def __init__(self, arrangement: Arrangement) -> None:
        self.arrangement, self.open = arrangement, True

    def close(self) -> None:
        assert self.open, "closed twice"
        self.open = False


class Track:
    """Opens runners and gives each its speed: below 0 it does not open, at 0 it breaks in its first window."""

    def __init__(self, speeds: Dict[Arrangement, float], window_s: float = 0.0) -> None:
        self.speeds, self.window_s, self.now_s = speeds, window_s, 0.0
        self.runners: List[Runner] = []
        self.windows: List[Arrangement] = []

    def opened(self, arrangement: Arrangement) -> Runner:
        if self.speeds[arrangement] < 0:
            raise ModelError("it has no such operator", hint="another")
        self.runners.append(Runner(arrangement))
        return self.runners[-1]

    def measure(self, runner: Runner) -> float:
        assert runner.open
        self.now_s += self.window_s
        self.windows.append(runner.arrangement)
        speed = self.speeds[runner.arrangement]
        if not speed:
            raise EdgeError("it broke", hint="no")
        return speed

    def run(self, base: List[Arrangement], rest: List[Arrangement], goal: str = THROUGHPUT) -> Contest:
        found: Contest = Contest(self.opened, self.measure, goal, clock=lambda: self.now_s)
        found.run(base, rest)
        return found


def test_the_fastest_wins_stays_open_and_the_others_are_closed():
    track = Track({A2: 10, B2: 9, A22: 12, B1: 8, A1: 7.5})
    found = track.run([A2, B2], [A22, A1, B1])
    runner, measured = found.won()
    found.close()
    assert [each.arrangement for each in measured] == [A22, A2, B2, B1, A1] and measured[0].speed == 12
    assert [each.arrangement for each in track.runners if each.open] == [A22] == [runner.arrangement]


def test_rounds_are_interleaved_and_each_begins_with_another():
    track = Track({A2: 10, B2: 9.9, A22: 9.8})
    track.run([A2, B2], [A22])
    assert track.windows[:6] == [A2, B2, B2, A2, A2, B2]
    assert track.windows[6:12] == [A2, B2, A22, B2, A22, A2]
    count = Counter(track.windows)
    assert count[A2] == count[B2] == len(contest.BASE) + len(contest.ALL) and count[A22] == len(contest.ALL)


def test_a_backend_that_is_clearly_behind_is_not_tried_further():
    track = Track({A2: 10, B2: 6, A1: 9, B1: 100})
    _, measured = track.run([A2, B2], [A1, B1]).won()
    assert B1 not in [each.arrangement for each in measured] and Counter(track.windows)[B2] == len(contest.BASE)


def test_the_worse_way_of_waiting_is_not_tried_further():
    fewer = [Arrangement("a", 3, 1, True), Arrangement("a", 3, 1, False)]
    track = Track({SPIN: 10, SLEEP: 9, fewer[0]: 9, fewer[1]: 100})
    _, measured = track.run([SPIN, SLEEP], fewer).won()
    assert fewer[1] not in [each.arrangement for each in measured] and fewer[0] in track.windows
    track = Track({A2: 10, fewer[0]: 9, fewer[1]: 11})
    assert track.run([A2], fewer).won()[1][0].arrangement == fewer[1], "nothing was known about it"


@pytest.mark.parametrize("bad", range(1, 9))
def test_one_bad_window_does_not_put_out_the_best(bad: int):
    track = Track({A2: 10, B2: 9, B1: 8})
    seen: List[Arrangement] = []

    def measure(runner: Runner) -> float:
        seen.append(runner.arrangement)
        return track.measure(runner) * (0.6 if runner.arrangement is A2 and seen.count(A2) == bad else 1)

    found: Contest = Contest(track.opened, measure, THROUGHPUT, clock=lambda: 0.0)
    found.run([A2, B2], [B1])
    _, measured = found.won()
    assert measured[0].arrangement == A2 and measured[0].speed == 10


def test_nearly_as_fast_with_fewer_threads_is_better():
    assert Track({A2: 10, A1: 9.8}).run([A2], [A1]).won()[1][0].arrangement == A1
    assert Track({A2: 10, A1: 9.5}).run([A2], [A1]).won()[1][0].arrangement == A2
    assert Track({A2: 10, A1: 9.5}).run([A2], [A1], LATENCY).won()[1][0].arrangement == A1, "decoding needs a core"


def test_what_does_not_open_or_breaks_is_left_out_with_its_reason():
    found = Track({A2: -1, B2: 5, A1: 3, B1: 0}).run([A2, B2], [A1, B1])
    runner, measured = found.won()
    assert [each.arrangement for each in measured] == [B2] and runner.open
    assert found.failures() == ["a, 2 threads: it has no such operator", "b, 1 thread: it broke"]


def test_the_first_reason_is_told_if_nothing_runs():
    found = Track({A2: -1, B2: 0}).run([A2, B2], [A1])
    with pytest.raises(ModelError, match="no such operator"):
        found.won()


def test_a_slow_model_ends_early():
    quick, slow = Track({A2: 10, B2: 9.9, A1: 1}), Track({A2: 10, B2: 9.9, A1: 1}, window_s=3.0)
    quick.run([A2, B2], [A1])
    slow.run([A2, B2], [A1])
    assert slow.windows == [A2, B2, A2, B2, A1, B2, A2] != quick.windows, "one round of the base, and two of all"
    late = Track({A2: 10, B2: 9.9, A1: 50}, window_s=contest.LIMIT_S)
    late.run([A2, B2], [A1])
    assert late.windows == [A2, B2], "there was no time for others, and no need for a second round"


def test_everything_is_closed_if_it_is_given_up():
    track = Track({A2: 10, B2: 9})
    track.run([A2, B2], []).close()
    assert track.runners and not [runner for runner in track.runners if runner.open]
