"""Percentiles in constant memory, counts per class."""

from __future__ import annotations

import math
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.loop.monitor import LatencyHistogram, Monitor
from edge_runtime.types import Detections, Frame, Result


@given(st.lists(st.floats(0.001, 50_000), min_size=1, max_size=300), st.sampled_from([50, 95, 99]))
def test_percentiles_are_within_a_bin(values, percent):
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[math.ceil(percent * len(values) / 100) - 1]
    assert exact * 0.97 <= histogram.percentile(percent) <= min(exact * 1.03, max(values))


@given(st.lists(st.floats(0.001, 50_000), max_size=20), st.floats(0.001, 50_000))
def test_one_duration_is_its_own_percentile_after_a_mark_too(before, value):
    histogram = LatencyHistogram()
    for each in before:
        histogram.add(each)
    mark = histogram.copy()
    histogram.add(value)
    since = histogram.since(mark)
    assert since.percentile(50) == since.percentile(99) == pytest.approx(value, rel=0.03)
    assert since.percentile(50) <= value * (1 + 1e-9) + 1e-7, "no more than the rounding of the sum"
    if not before:
        assert histogram.summary()["p50"] == histogram.summary()["mean"] == round(value, 3)


def test_no_data_has_no_percentiles():
    assert math.isnan(LatencyHistogram().percentile(50)) and LatencyHistogram().summary() == {}


@pytest.mark.parametrize("ms", [0.0, -1.0, 1e9])
def test_durations_out_of_range_land_in_the_outer_bins(ms):
    histogram = LatencyHistogram()
    histogram.add(ms)
    assert histogram.count == 1 and math.isfinite(histogram.percentile(50))


def test_the_monitor_counts_frames_stages_and_classes():
    monitor = Monitor()
    found = Detections(np.zeros((3, 4), np.float32), np.ones(3, np.float32), np.array([1, 1, 5], np.int32), ("a", "b"))
    for index in range(10):
        frame = Frame(np.zeros((2, 2, 3), np.uint8), "test", index, 0.0)
        monitor.write(Result(frame, found, {"inference": 4.0}, 5.0))
    summary = monitor.summary()
    assert summary["frames"] == 10 and summary["detections"] == {"b": 20, "5": 10}
    assert summary["stage_ms"]["inference"]["mean"] == pytest.approx(4.0)
    assert summary["latency_ms"]["p50"] == pytest.approx(5.0, rel=0.03)
    assert monitor.fps > 0 and summary["fps"] > 0
    assert "10 frames" in monitor.status([0]) and "3 dropped" in monitor.status([1, 2])
    assert "10/25 frames" in monitor.status([0], total=25)


def test_classes_of_one_name_count_together():
    monitor, names = Monitor(), ("car", "person", "car")
    found = Detections(np.zeros((4, 4), np.float32), np.ones(4, np.float32), np.array([0, 2, 2, 1], np.int32), names)
    monitor.write(Result(Frame(np.zeros((2, 2, 3), np.uint8), "test", 0, 0.0), found, {}, 5.0))
    assert monitor.detections == {"car": 3, "person": 1}


def test_the_monitor_is_read_while_it_counts():
    """Three readers, new stages and classes all the time: nothing breaks, and what is read adds up."""
    monitor, done, errors = Monitor(), threading.Event(), []

    def read() -> None:
        try:
            while not done.is_set():
                monitor.status([0]), monitor.detections
                summary, mark = monitor.summary(), monitor.mark()
                assert mark.latency.count == mark.frames == sum(mark.latency._bins)
                assert all(histogram.count <= mark.frames for histogram in mark.stages.values())
                assert summary["frames"] <= mark.frames and monitor.since(mark)["frames"] >= -1
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for reader in readers:
            reader.start()
        for index in range(1500):
            found = Detections(
                np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.array([index], np.int32), ("a", "b")
            )
            frame = Frame(np.zeros((2, 2, 3), np.uint8), "test", index, 0.0)
            monitor.write(Result(frame, found, {f"stage {index // 20}": 4.0}, 5.0))
    finally:
        done.set()
        for reader in readers:
            reader.join()
        sys.setswitchinterval(before)
    assert not errors, errors[0]
    assert monitor.summary()["frames"] == 1500 == sum(monitor.detections.values())


@pytest.fixture
def at(monkeypatch):
    """Writes one frame to a monitor at each of some times in seconds."""

    def write(monitor, *times_s):
        for time_s in times_s:
            monkeypatch.setattr("edge_runtime.loop.monitor.perf_counter", lambda time_s=time_s: time_s)
            none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32), ())
            monitor.write(Result(Frame(np.zeros((2, 2, 3), np.uint8), "test", 0, 0.0), none, {"inference": 4.0}, 5.0))

    return write


def test_since_a_mark_before_the_first_frame_that_frame_begins_the_time(at):
    monitor = Monitor()
    mark = monitor.mark()
    at(monitor, 100.0)
    assert monitor.since(mark)["frames"] == 0 and monitor.since(mark)["fps"] is None
    at(monitor, 101.0, 102.0)
    since = monitor.since(mark)
    assert since["frames"] == 2 and since["fps"] == 1.0
    assert since["latency_ms"]["mean"] == 5.0 and since["stage_ms"]["inference"]["mean"] == 4.0


def test_since_a_later_mark_every_frame_counts(at):
    monitor = Monitor()
    at(monitor, 100.0, 101.0)
    mark = monitor.mark()
    assert monitor.since(mark) == {"frames": 0, "fps": None, "latency_ms": {}, "stage_ms": {"inference": {}}}
    at(monitor, 102.5, 104.0, 105.0)
    assert monitor.since(mark)["frames"] == 3 and monitor.since(mark)["fps"] == 0.75


def test_no_frame_is_lost_between_two_counts(at):
    monitor = Monitor()
    marks = [monitor.mark()]
    for second in range(6):
        at(monitor, float(second))
        if second % 2:
            marks.append(monitor.mark())
    counts = [monitor.since(begin, end)["frames"] for begin, end in zip(marks, marks[1:])]
    assert counts == [1, 2, 2], "the first frame begins the time"


def test_rates_are_frames_between_the_first_and_the_last(at):
    monitor = Monitor(window=3)
    at(monitor, 100.0)
    assert monitor.fps == monitor.mean_fps == 0.0 and monitor.summary()["duration_s"] == 0.0
    at(monitor, 101.0, 102.0, 102.5)
    assert monitor.fps == pytest.approx(2 / 1.5) and monitor.mean_fps == pytest.approx(3 / 2.5)
    assert monitor.summary()["fps"] == 1.2 and monitor.summary()["duration_s"] == 2.5
