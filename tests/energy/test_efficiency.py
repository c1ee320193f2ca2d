"""FPS per watt: the paper's two points from the recorded boards, rows, nominal and idle-subtracted figures."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime import power
from edge_runtime.energy import efficiency
from edge_runtime.energy.efficiency import Conditions, Efficiency
from edge_runtime.energy.joules import Energy
from edge_runtime.energy.sampler import Sampler
from edge_runtime.jetson import nvpmodel
from edge_runtime.jetson.nvpmodel import Mode
from edge_runtime.jetson.probe import Probe
from edge_runtime.loop import monitor
from edge_runtime.loop.monitor import Monitor
from edge_runtime.types import Detections, Frame, Result

NONE = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))
RESULT = Result(Frame(np.empty((2, 2, 3), np.uint8), "x", 0, 0.0), NONE, {"capture": 1.0, "inference": 20.0}, 30.0)


class Clock:
    """Time that only moves when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(monitor, "perf_counter", self)

    def __call__(self) -> float:
        return self.now_s


def run(clock: Clock, sampler: Sampler, fps: float, seconds: float, conditions: Conditions) -> tuple:
    """Frames at a rate, five samples and four ticks a second."""
    counted, rows = Monitor(), []  # type: Monitor, List[Dict]
    watched = Efficiency(counted, sampler, conditions, drops=lambda: counted.frames // 10, log=rows.append, clock=clock)
    beats = [(number / fps, "frame") for number in range(int(seconds * fps) + 1)]
    beats += [(number / 5 + 1e-4, "sample") for number in range(int(seconds * 5))]
    beats += [(number / 4 + 2e-4, "tick") for number in range(int(seconds * 4))]
    for time_s, what in sorted(beats):
        clock.now_s = 100.0 + time_s
        {"frame": lambda: counted.write(RESULT), "sample": sampler._look, "tick": watched.tick}[what]()
    return watched, rows


@pytest.mark.parametrize(
    ("board", "fps", "watts", "per_watt", "nominal", "line"),
    [
        ("agx-xavier_l4t32", 26.9, 13.650, 1.97, 26.9 / 15, "26.9 FPS  13.7 W  1.97 FPS/W  mode 15W"),
        ("agx-xavier_l4t35", 48.2, 29.874, 1.61, 48.2 / 30, "48.2 FPS  29.9 W  1.61 FPS/W  mode 30W_ALL"),
    ],
)
def test_the_papers_two_points(board_tree, under_load, monkeypatch, board, fps, watts, per_watt, nominal, line):
    root, clock = board_tree(board), Clock(monkeypatch)
    under_load(root)
    sampler = Sampler(power.open(root), Probe(root), clock=clock)
    mode = nvpmodel.current(root, nvpmodel.load_conf(root))
    watched, rows = run(clock, sampler, fps, 10.0, Conditions(mode, True, idle_w=5.0))
    assert watched.line == line
    now = watched.status()
    assert now["power_w"] == watts == round(sum(now["rails_w"].values()), 3) and f"mode {now['mode']}" in line
    assert now["temperature_c"] == max(now["temperatures_c"].values()) > 20 and now["gpu_load"] == 97.0
    found = watched.finish()
    assert found["mean_w"] == watts and found["fps"] == pytest.approx(fps, rel=1e-3)
    assert round(found["fps_per_watt"], 2) == per_watt
    assert found["fps_per_watt_nominal"] == pytest.approx(nominal, rel=1e-3)
    assert found["fps_per_watt_above_idle"] == pytest.approx(fps / (watts - 5.0), rel=1e-3)
    assert found["joules_per_frame"] == pytest.approx(watts / fps, rel=1e-3)
    assert found["coverage"] == 1.0 and found["gaps"] == 0 and found["scope"] == "rail_sum"
    assert (found["paper"]["fps"], found["paper"]["fps_per_watt"]) == (fps, per_watt)
    assert len(rows) == 9
    for row in rows:
        assert row["fps"] == pytest.approx(fps, rel=0.02) and round(row["total_w"], 3) == watts
        assert row["fps_per_watt"] == pytest.approx(row["fps"] / watts, rel=1e-3)
        assert row["stage_ms"]["inference"]["p95"] == pytest.approx(20, rel=0.03) and row["latency_ms"]["p50"] > 29
        assert row["clocks"]["gpu_mhz"] and row["temperatures_c"]["gpu"] and row["gpu_load"] == 97.0
        assert set(row["rails_w"]) == {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"}
    assert sum(row["frames"] for row in rows) <= 10 * fps and rows[-1]["dropped"] > 0


def test_without_a_meter_there_is_a_reason(monkeypatch):
    clock = Clock(monkeypatch)
    watched, rows = run(clock, Sampler(None, reason="no power sensor", clock=clock), 10.0, 3.0, Conditions())
    assert watched.status() == {}
    assert watched.finish() == {"reason": "no power sensor", "mode": None} and watched.line == "10.0 FPS"
    assert rows[0]["total_w"] is None and rows[0]["fps_per_watt"] is None and rows[0]["fps"] == pytest.approx(10.0)


def test_no_frame_is_no_figure(board_tree, monkeypatch):
    clock, root = Clock(monkeypatch), board_tree("test-board")
    watched = Efficiency(Monitor(), Sampler(power.open(root), clock=clock), clock=clock)
    watched.tick()
    assert watched.finish() == {"reason": "no frame was seen", "mode": None}


def test_a_second_without_frames_has_joules_and_no_fps(board_tree, monkeypatch):
    root, clock = board_tree("test-board"), Clock(monkeypatch)
    sampler, counted, rows = Sampler(power.open(root), clock=clock), Monitor(), []
    watched = Efficiency(counted, sampler, log=rows.append, clock=clock)
    for second in range(4):
        clock.now_s = 100.0 + second
        if second < 2:
            counted.write(RESULT)
        sampler._look()
        watched.tick()
    assert [row["frames"] for row in rows] == [1, 0, 0] and rows[2]["fps"] is None
    assert rows[2]["joules_per_frame"] is None and rows[2]["total_w"] == 6.0


def test_figures_that_cannot_be_are_none():
    empty = efficiency.figures(None, Energy(), Conditions())
    assert all(empty[name] is None for name in ("fps", "mean_w", "fps_per_watt", "fps_per_watt_above_idle"))
    energy = Energy()
    energy.add(0.0, 10.0)
    energy.add(1.0, 10.0)
    assert efficiency.figures(20.0, energy, Conditions(idle_w=11.0))["fps_per_watt_above_idle"] is None
    assert efficiency.figures(20.0, energy, Conditions(Mode(0, "MAXN")))["fps_per_watt_nominal"] is None


def test_the_published_row_of_the_nearest_budget():
    assert efficiency.paper(Mode(1, "10W"))["mode"] == "15W" and efficiency.paper(Mode(3, "MODE_50W"))["mode"] == "30W"
    assert efficiency.paper(Mode(0, "MAXN")) is None and efficiency.paper(None) is None


def test_modes_that_take_turns_are_named_once(board_tree, monkeypatch):
    clock, root = Clock(monkeypatch), board_tree("test-board")
    watched = Efficiency(Monitor(), Sampler(power.open(root), clock=clock), Conditions(Mode(0, "15W")), clock=clock)
    for number in range(100):
        watched.change(Conditions(Mode(1, "7W") if number % 2 else Mode(0, "15W")))
    assert watched.finish()["mode"] == "15W, then 7W"
