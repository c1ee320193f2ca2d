"""Pacing keeps an average, and does not catch up on what is long ago."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.loop.pace import Pace


def frames(fps: float, source_fps: float, seconds: float) -> int:
    """How many of a source's frames are taken."""
    now = [0.0]
    pace, taken = Pace(lambda: now[0]), 0
    pace.fps = fps
    for number in range(int(seconds * source_fps)):
        now[0] = number / source_fps
        if not pace.wait_s:
            pace.taken()
            taken += 1
    return taken


@given(st.floats(1, 60), st.floats(5, 120))
def test_the_average_is_the_pace_or_the_source(fps, source_fps):
    taken = frames(fps, source_fps, 20)
    assert taken <= 20 * min(fps, source_fps) + 2
    assert taken >= 0.98 * 20 * min(fps, source_fps) / (1 + fps / source_fps if fps < source_fps else 1) - 2


def test_common_rates_are_met():
    for fps, source_fps in ((15, 30), (10, 30), (15, 60), (5, 25)):
        assert frames(fps, source_fps, 20) == pytest.approx(20 * fps, abs=2)


def test_no_pace_is_no_wait_and_a_stall_is_not_caught_up():
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.wait_s == 0.0
    pace.fps = 10.0
    pace.taken()
    assert pace.wait_s == pytest.approx(0.1)
    now[0] = 100.0
    pace.taken()
    assert pace.wait_s == pytest.approx(0.0)
    pace.taken()
    assert pace.wait_s == pytest.approx(0.1), "not a burst of a thousand"
