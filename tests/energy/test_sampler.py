"""Sampling: rates, spans, gaps, and what a reading costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Collection, Dict, List, Optional

import pytest

from edge_runtime import power
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import SourceError
from edge_runtime.jetson.probe import Probe


class Steady:
    """A meter by hand; `missing` readings fail."""

    def __init__(self, watts: float = 10.0) -> None:
        self.name, self.rails, self.gaps, self.watts, self.readings = "steady", ["VDD_IN", "VDD_SOC"], 0, watts, 0
        self.closed = False

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        self.readings += 1
        return {"VDD_IN": self.watts, "VDD_SOC": 2.0} if self.watts else {"VDD_SOC": 2.0}

    def close(self) -> None:
        self.closed = True


def stepped(meter: Steady, steps: List[float]) -> Sampler:
    """A sampler read by hand at these times."""
    times = iter(steps)
    return Sampler(meter, clock=lambda: next(times))


def test_a_thread_reads_and_ends():
    meter = Steady()
    with Sampler(meter, hz=100.0) as sampler:
        span = sampler.begin()
        deadline = time.monotonic() + 20
        while span.energy.samples < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        sampler.end(span)
        assert sampler.watts == 10.0
    assert meter.closed and span.energy.mean_w == pytest.approx(10.0) and span.energy.coverage == pytest.approx(1.0)
    assert span.rails_w() == pytest.approx({"VDD_IN": 10.0, "VDD_SOC": 2.0})
    read = meter.readings
    assert sampler.end(span) is span and meter.readings == read


def test_a_reading_that_raises_is_a_gap_and_the_next_one_counts(caplog):
    """Such as a library whose sensor went away. The thread goes on, and the watts before are not those of now."""

    class Failing(Steady):
        fails = False

        def read_w(self, only=None):
            if self.fails:
                raise RuntimeError("the sensor is gone")
            return super().read_w(only)

    def until(true, what):
        deadline = time.monotonic() + 20
        while not true() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert true(), what

    meter = Failing()
    with Sampler(meter, hz=100.0) as sampler:
        until(lambda: sampler.watts == 10.0, "a reading")
        meter.fails = True
        until(lambda: sampler.watts is None, "a gap")
        sampler.end(sampler.begin())
        meter.fails = False
        until(lambda: sampler.watts == 10.0, "the next readings")
    assert caplog.text.count("measuring watts failed") == 1


def test_spans_overlap_and_begin_with_the_reading_before():
    meter = Steady()
    sampler = stepped(meter, [0.2, 0.25, 0.4, 0.6, 0.65, 0.8])
    sampler._look()
    first = sampler.begin()
    sampler._look()
    assert first.began_s == 0.25 and first.energy.joules == pytest.approx(10 * 0.2)
    sampler._look()
    second = sampler.begin()
    meter.watts = 30.0
    sampler.end(first)
    assert first.energy.joules == pytest.approx(10 * 0.4 + 20 * 0.2)
    assert second.energy.joules == pytest.approx(20 * 0.2), "from the reading before on"


def test_a_span_is_ended_and_no_other_that_looks_like_it():
    sampler = stepped(Steady(), [0.0, 0.0, 0.2, 0.4])
    first, second = sampler.begin(), sampler.begin()
    assert (first.began_s, first.energy) == (second.began_s, second.energy)
    sampler.end(second)
    sampler._look()
    assert first.energy.samples == 2 and second.energy.samples == 1


def test_a_span_as_long_as_a_run_keeps_no_states(board_tree):
    root = board_tree("test-board")
    times = iter([number / 5 for number in range(40)])
    sampler = Sampler(power.open(root), Probe(root), clock=lambda: next(times))
    span = sampler.begin(states=False)
    for _ in range(21):
        sampler._look()
    assert span.states == [] and span.extremes.to_dict()["temperatures_c"]["gpu"] > 0


def test_a_failed_reading_is_a_gap_of_the_total_alone():
    meter = Steady()
    sampler = stepped(meter, [0.0, 0.1, 0.2, 0.4, 0.6, 0.8])
    span = sampler.begin()
    sampler._look()
    meter.watts = 0.0
    sampler._look()
    assert sampler.watts is None
    meter.watts = 10.0
    sampler._look()
    sampler._look()
    assert span.energy.gaps == 1 and span.energy.mean_w == pytest.approx(10.0)
    assert span.energy.coverage == pytest.approx(0.2 / 0.5) and span.rails["VDD_SOC"].gaps == 0


def test_readings_that_raise_are_gaps_and_nothing_is_joined_over_them():
    class Every(Steady):
        def read_w(self, only=None):
            found = super().read_w(only)
            if self.readings % 2 == 0:
                raise RuntimeError("the sensor is gone")
            return found

    sampler = stepped(Every(), [0.0, *(number / 5 for number in range(11))])
    span = sampler.begin()
    for _ in range(11):
        sampler._look()
    assert (span.energy.samples, span.energy.gaps, span.energy.coverage) == (6, 5, 0.0) and span.energy.joules == 0.0
    assert span.energy.elapsed_s == pytest.approx(2.0) and span.rails["VDD_SOC"].gaps == 1
    assert "VDD_SOC" in sampler.rails_w


def test_a_state_that_cannot_be_read_costs_no_watts(tmp_path, caplog):
    class Broken(Probe):
        fails = True

        def read(self):
            if self.fails:
                raise RuntimeError("no such file")
            return super().read()

    times, probe = iter([number / 5 for number in range(40)]), Broken(tmp_path)
    sampler = Sampler(Steady(), probe, clock=lambda: next(times))
    span = sampler.begin()
    for _ in range(11):
        sampler._look()
        assert sampler.watts == 10.0
    assert span.energy.joules == pytest.approx(20.0) and span.energy.gaps == 0 and span.states == []
    assert caplog.text.count("reading the state of the board failed") == 1
    probe.fails = False
    for _ in range(6):
        sampler._look()
    assert len(span.states) >= 1


def test_the_boards_state_once_a_second(board_tree):
    root = board_tree("test-board")
    times = iter([number / 5 for number in range(40)])
    sampler = Sampler(power.open(root), Probe(root), clock=lambda: next(times))
    span = sampler.begin()
    for _ in range(21):
        sampler._look()
    assert len(span.states) == 5 and span.states[0].gpu_load == 0.0 and sampler.state == span.states[-1]


def test_no_sensor_is_a_reason(tmp_path):
    with Sampler.open(tmp_path) as sampler:
        span = sampler.begin()
        sampler.end(span)
    assert sampler.meter is None and sampler.reason == "no power sensor here" and sampler.watts is None
    assert span.energy.mean_w is None and span.rails_w() == {}
    with pytest.raises(SourceError):
        Sampler.open(tmp_path, "replay:none.csv")


def test_rails_that_are_not_part_of_the_whole_are_read_once_a_second(board_tree):
    root = board_tree("test-board")
    times = iter([number / 5 for number in range(60)])
    sampler = Sampler(power.open(root), clock=lambda: next(times))
    sampler._look()
    span = sampler.begin()
    for _ in range(50):
        sampler._look()
    sampler.end(span)
    assert span.energy.samples == 52 and span.rails["VDD_IN"].samples == 52 and span.energy.coverage == 1.0
    assert 10 <= span.rails["VDD_SOC"].samples <= 13 and span.rails["VDD_SOC"].coverage == pytest.approx(1.0)
    assert span.rails_w()["VDD_SOC"] == pytest.approx(1.5) and span.rails["VDD_SOC"].gaps == 0


@pytest.mark.parametrize("board", ["agx-xavier_l4t32", "orin-nano_l4t36", "agx-thor_l4t38"])
def test_a_second_of_sampling_opens_few_files(board_tree, monkeypatch, board):
    """What it costs is counted here, as time is not to be trusted; `tools/bench_watts.py` measures it."""
    root = board_tree(board)
    times = iter([number / 5 for number in range(400)])
    sampler, opened, text = Sampler(power.open(root), Probe(root), clock=lambda: next(times)), [], Path.read_text
    sampler._look()
    monkeypatch.setattr(Path, "read_text", lambda path, **kwargs: opened.append(path) or text(path, **kwargs))
    for _ in range(50):
        sampler._look()
    assert len(opened) / 10 <= 5 * 2 * len(sampler.total.rails) + 2 * len(sampler.meter.rails) + 50
