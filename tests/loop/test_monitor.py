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
    exact = float(np.percentile(values, percent, method="inverted_cdf"))
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
