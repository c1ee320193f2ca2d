"""Frames that come late: old ones, and those of a camera with another clock."""

from __future__ import annotations

from typing import Iterable, List, Tuple

from edge_runtime.sources._late import Lateness

RATE = 10


def judged(frames: Iterable[Tuple[float, float]]) -> List[bool]:
    """Args: frames: time in the stream and arrival of each, in seconds."""
    late = Lateness()
    return [late.is_old(*frame) for frame in frames]


def steady(seconds: float, stamp_s: float = 0.0, arrival_s: float = 0.0) -> List[Tuple[float, float]]:
    return [(stamp_s + n / RATE, arrival_s + n / RATE) for n in range(round(seconds * RATE))]


def test_frames_in_time_are_new() -> None:
    assert not any(judged(steady(60, stamp_s=1e6)))


def test_a_burst_after_a_freeze_is_old_until_the_present() -> None:
    """The server stood still from 5 to 13 s. What it had kept comes in half a second."""
    burst = [(5 + n / RATE, 13 + n / 160) for n in range(80)]
    old = judged([*steady(5), *burst, *steady(3, 13, 13.5)])
    assert not any(old[:50]) and all(old[50:110]) and not any(old[-30:])


def test_a_clock_that_stood_still_costs_a_second() -> None:
    old = judged([*steady(5), *steady(10, 5, 13)])
    assert 0 < sum(old) <= RATE + 1 and not any(old[-80:])


def test_a_clock_that_was_set_back_or_on() -> None:
    assert sum(judged([*steady(5, 1000), *steady(10, 0, 5)])) <= RATE + 1
    assert not any(judged([*steady(5), *steady(10, 1000, 5)])[:100])


def test_a_camera_whose_clock_is_slow_is_not_late() -> None:
    assert not any(judged((0.9998 * n, float(n)) for n in range(20_000)))


def test_frames_without_a_time_are_new() -> None:
    late = Lateness()
    assert not any(late.is_old(None, now) for now in (0.0, 100.0))
