"""Rounds go on after one that failed."""

from __future__ import annotations

from typing import List

import pytest

from edge_runtime.libraries.rounds import Rounds


def test_a_round_that_fails_is_said_once_and_the_next_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    done: List[int] = []

    def look(number: int) -> None:
        if number in (1, 2):
            raise ValueError(f"number {number}")
        done.append(number)

    rounds = Rounds("looking", look)
    assert [rounds(number) for number in range(4)] == [True, False, False, True] and done == [0, 3]
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == ["looking failed, and is tried again: ValueError: number 1"]


def test_the_end_of_the_program_is_no_failure() -> None:
    def end() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Rounds("ending", end)()
