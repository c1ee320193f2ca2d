"""Which message is the cause, and what looks like an outage."""

from __future__ import annotations

from typing import List

import pytest

from edge_runtime.sinks._suspect import TIMES, TRUSTED, Suspect


def cut(suspect: Suspect[int], what: int, times: int) -> List[object]:
    """What is found after each connection that ended at a message."""
    found = []
    for _ in range(times):
        suspect.ended(True, 1, what)
        found.append(suspect.found())
    return found


def test_a_message_is_found_after_so_many_times_in_a_row() -> None:
    suspect: Suspect[int] = Suspect()
    assert not suspect.careful
    assert cut(suspect, 7, TIMES) == [None] * (TIMES - 1) + [7]
    assert cut(suspect, 7, TIMES - 1) == [None] * (TIMES - 1), "the count begins anew"
    assert suspect.careful


@pytest.mark.parametrize("between", ["away", "acknowledged", "several", "later", "another"])
def test_an_outage_in_between_begins_the_count_anew(between: str) -> None:
    suspect: Suspect[int] = Suspect()
    cut(suspect, 7, TIMES - 1)
    if between == "away":
        suspect.ended(False, 0, None)
    elif between == "acknowledged":
        suspect.acknowledged(7)
    elif between == "several":
        suspect.ended(True, 3, None)
    elif between == "later":
        suspect.ended(True, 1, None)
    else:
        suspect.ended(True, 1, 8)
    assert cut(suspect, 7, TIMES - 1) == [None] * (TIMES - 1)
    assert cut(suspect, 7, 1) == [7]


def test_a_broker_that_does_not_accept_the_next_connection_clears_the_message() -> None:
    suspect: Suspect[int] = Suspect()
    for _ in range(TIMES):
        suspect.ended(True, 1, 7)
    suspect.ended(False, 0, None)
    assert suspect.found() is None


def test_others_are_acknowledged_meanwhile_and_trust_comes_back() -> None:
    suspect: Suspect[int] = Suspect()
    suspect.ended(True, 0, None)
    assert not suspect.careful, "nothing was on the way"
    suspect.ended(True, 20, None)
    for number in range(TIMES):
        suspect.acknowledged(100 + number)
        suspect.ended(True, 1, 7)
    assert suspect.careful and suspect.found() == 7
    for number in range(TRUSTED):
        assert suspect.careful
        suspect.acknowledged(number)
    assert not suspect.careful
