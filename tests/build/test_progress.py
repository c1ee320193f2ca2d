"""Nested phases become one fraction."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.build.progress import BuildProgress


def test_a_phase_within_a_phase():
    told = []
    progress = BuildProgress(lambda fraction, phase: told.append((round(fraction, 3), phase)))
    progress.start("all", None, 4)
    progress.step("all", 0)
    progress.start("part", "all", 2)
    progress.step("part", 0)
    progress.step("part", 1)
    progress.finish("part")
    progress.step("all", 1)
    progress.step("all", 3)
    assert told == [(0.25, "all"), (0.375, "part"), (0.5, "part"), (1.0, "all")]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["start", "step", "finish"]), st.integers(0, 9))))
def test_it_never_goes_back_nor_beyond_the_end(events):
    told = []
    progress = BuildProgress(lambda fraction, phase: told.append(fraction))
    for name, kind, number in events:
        if kind == "start":
            progress.start(name, "a" if name != "a" else None, number)
        else:
            progress.step(name, number) if kind == "step" else progress.finish(name)
    assert told == sorted(told) and all(0 < fraction <= 1 for fraction in told)
