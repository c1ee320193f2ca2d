"""Times of videos and of pages that show several sources."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

import numpy as np
import pytest

from edge_runtime.sinks._timeline import PageTimes, Timeline
from edge_runtime.types import Frame

IMAGE = np.zeros((2, 2, 3), np.uint8)


def frame(at_s: float, index: int = 0, source: str = "cam", path: Optional[str] = None) -> Frame:
    return Frame(IMAGE, source, index, at_s, path)


def placed(times: Sequence[float], fps: float = 10) -> List[float]:
    timeline = Timeline(fps)
    return [round(timeline.place(frame(at_s)), 6) for at_s in times]


@pytest.mark.parametrize(
    "times, expected",
    [
        ([5, 5.04, 5.5, 5.501], [0, 0.04, 0.5, 0.501]),
        ([0, 3600], [0, 3600]),
        ([100, 100.1, 40, 40.1, 40.3], [0, 0.1, 0.2, 0.3, 0.5]),  # the clock was set back
        ([100, 100.1, 1e9, 1e9 + 0.1], [0, 0.1, 0.2, 0.3]),  # and forward, by years
        ([7, 7, 7], [0, 0.1, 0.2]),
        ([0, 0, 0.05], [0, 0.1, 0.15]),
    ],
)
def test_times_rise_as_frames_came(times: List[float], expected: List[float]) -> None:
    assert placed(times) == expected


def test_pictures_of_a_folder_come_at_the_rate() -> None:
    timeline = Timeline(20)
    places = [timeline.place(frame(float(i), i, path=f"{i}.jpg")) for i in range(4)]
    assert places == pytest.approx([0, 0.05, 0.1, 0.15])


def pages(rates: Dict[str, float], *news: Dict[str, float]) -> List[float]:
    times = PageTimes(rates)
    stamps = [{name: times.stamp(frame(at_s, source=name)) for name, at_s in new.items()} for new in news]
    return [round(times.next(new), 3) for new in stamps]


def test_pages_of_cameras_follow_the_clock() -> None:
    news = [{"a": 100 + i / 10, **({"b": 100.03 + i / 10} if not i % 3 else {})} for i in range(7)]
    assert pages({"a": 10, "b": 3}, *news) == [i / 10 for i in range(7)]


def test_a_camera_that_pauses_leaves_its_gap() -> None:
    news = [{"a": 10.0, "b": 10.0}, {"b": 10.5}, {"b": 11.0}, {"a": 11.2, "b": 11.5}, {"a": 11.4}]
    assert pages({"a": 5, "b": 2}, *news) == [0, 0.5, 1.0, 1.2, 1.4]


def test_files_of_two_rates_are_shown_at_the_rate_of_the_faster() -> None:
    """Frames come in pairs, whatever their times."""
    both = [{"a": i / 25, "b": i / 5} for i in range(50)]
    alone = [{"b": i / 5} for i in range(50, 55)]
    found = pages({"a": 25, "b": 5}, *both, *alone)
    assert found[:50] == [i / 25 for i in range(50)]
    steps = np.diff(found[49:])
    assert 0 < steps[0] < 0.8 and steps[1:] == pytest.approx([0.2] * 4)


def test_a_clock_that_was_set_and_one_that_was_not() -> None:
    news = [{"a": 100 + i / 10, "b": (100 if i < 5 else -5000) + i / 10} for i in range(10)]
    assert pages({"a": 10, "b": 10}, *news) == [i / 10 for i in range(10)]


def test_pages_always_rise() -> None:
    stuck = [{"a": 3.0, "b": 3.0}] * 5
    assert min(np.diff(pages({"a": 10, "b": 10}, *stuck))) > 0
