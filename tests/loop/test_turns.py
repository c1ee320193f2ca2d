"""How long an engine may take before the run counts as stuck."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from edge_runtime.loop import view
from edge_runtime.loop.pipeline import Pipeline
from tests.loop.parts import Numbers, open_detector

SLOW_S = 0.05


def said(tmp_path: Path, warmup: int) -> List[str]:
    """What is said of the run at each of three frames, while a slow engine works on it."""
    found: List[str] = []
    with open_detector(tmp_path) as detector:
        wait = detector.backend.wait

        def slow(slot: int) -> Tuple[Any, Any]:
            time.sleep(SLOW_S)
            if pipeline.warm:
                found.append(pipeline.stuck)
            return wait(slot)

        detector.backend.wait = slow  # type: ignore[method-assign]
        pipeline = Pipeline(detector, Numbers(3), warmup=warmup)
        pipeline.run()
    return found


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "STUCK_S", SLOW_S / 5)
    monkeypatch.setattr(view, "STUCK_TIMES", 1000)


@pytest.mark.parametrize("warmup", [0, 2])
def test_a_slow_engine_may_take_its_time(tmp_path: Path, warmup: int) -> None:
    assert said(tmp_path, warmup) == ["", "", ""]


def test_many_times_the_longest_time_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "STUCK_TIMES", 0.1)
    first, second, third = said(tmp_path, 0)
    assert first == "" and "at the same thing" in second and "at the same thing" in third


def test_an_engine_that_never_runs_is_stuck_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "FIRST_S", SLOW_S / 5)
    assert "at the same thing" in said(tmp_path, 0)[0]
