"""Which message is the cause, and what looks like an outage."""

from __future__ import annotations

from typing import List

import pytest

from edge_runtime.sinks._suspect import TIMES, Suspect


def cut(suspect: Suspect, what: int, times: int) -> List[object]:
    """What is found after each connection that ended at a message."""
    found: List[object] = []
    for _ in range(times):
        suspect.ended(True, [what], what)
        found.append(suspect.found())
    return found


def test_a_message_is_found_after_so_many_times_in_a_row() -> None:
    suspect = Suspect()
    assert not suspect.careful
    assert cut(suspect, 7, TIMES) == [None] * (TIMES - 1) + [7]
    assert cut(suspect, 7, TIMES - 1) == [None] * (TIMES - 1), "the count begins anew"
    assert suspect.careful


@pytest.mark.parametrize("between", ["away", "acknowledged", "several", "later", "another"])
def test_an_outage_in_between_begins_the_count_anew(between: str) -> None:
    suspect = Suspect()
    cut(suspect, 7, TIMES - 1)
    if between == "away":
        suspect.ended(False, [], None)
    elif between == "acknowledged":
        suspect.acknowledged(7)
    elif between == "several":
        suspect.ended(True, [7, 8, 9], None)
    elif between == "later":
        suspect.ended(True, [7], None)
    else:
        suspect.ended(True, [8], 8)
    assert cut(suspect, 7, TIMES - 1) == [None] * (TIMES - 1)
    assert cut(suspect, 7, 1) == [7]


def test_a_broker_that_does_not_accept_the_next_connection_clears_the_message() -> None:
    suspect = Suspect()
    for _ in range(TIMES):
        suspect.ended(True, [7], 7)
    suspect.ended(False, [], None)
    assert suspect.found() is None


def test_one_at_a_time_until_all_that_was_on_the_way_is_acknowledged_or_set_aside() -> None:
    suspect = Suspect()
    suspect.ended(True, [], None)
    assert not suspect.careful, "nothing was on the way"
    suspect.ended(True, ["a", "b", 7, 8], None)
    for _ in range(TIMES):
        for other in ("a", "b", *(f"state{number}" for number in range(30))):
            suspect.acknowledged(other)
        suspect.ended(True, [7], 7)
    assert suspect.careful and suspect.found() == 7
    assert suspect.careful, "8 is still to come"
    suspect.acknowledged(8)
    assert not suspect.careful


def test_an_acknowledged_record_ends_the_wait_for_those_before_it() -> None:
    """They may have been dropped, because the spool was full."""
    suspect = Suspect()
    suspect.ended(True, ["a", 7, 8], None)
    suspect.acknowledged(9)
    assert suspect.careful, "a state is not a record"
    suspect.acknowledged("a")
    assert not suspect.careful
