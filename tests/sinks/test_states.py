"""Which states are sent, in which order, and which are kept."""

from __future__ import annotations

from typing import List

from edge_runtime.sinks._states import States
from edge_runtime.sinks._topics import Message


def filled(*topics: str) -> States:
    states = States()
    for topic in topics:
        states.put(Message(topic, b"1", True))
    return states


def sent(states: States, first: object = None) -> List[str]:
    return [message.topic for message in iter(lambda: states.next(first), None)]


def test_one_goes_first_and_the_order_is_the_same_at_each_connection() -> None:
    states = filled("d", "a", "c", "b")
    assert sent(states) == ["a", "b", "c", "d"] and not states.due
    states.all_again()
    assert sent(states, "c") == ["c", "a", "b", "d"]
    states.all_again()
    assert sent(states, 7) == ["a", "b", "c", "d"], "a record, or a state that is not there"


def test_only_the_newest_of_a_topic_is_sent() -> None:
    states = filled("a")
    states.put(Message("a", b"2", True))
    assert states.next(None) == Message("a", b"2", True) and states.next(None) is None


def test_what_is_set_aside_is_not_taken_again() -> None:
    states = filled("a", "b")
    assert states.set_aside("a") == Message("a", b"1", True)
    states.put(Message("a", b"2", True))
    states.all_again()
    assert sent(states) == ["b"]


def test_what_is_not_kept_goes_when_the_broker_has_the_newest() -> None:
    states = filled("a", "b")
    states.keep({"a", "none"}, kept=False)
    assert sent(states) == ["a", "b"]
    states.put(Message("a", b"2", True))
    states.acknowledged("a")  # the earlier one
    assert sent(states) == ["a"]
    states.all_again()
    assert sent(states) == ["a", "b"], "the connection ended before the acknowledgement"
    states.acknowledged("a")
    states.acknowledged("b")
    states.all_again()
    assert sent(states) == ["b"]
    states.put(Message("a", b"3", True))
    states.keep({"a"}, kept=True)
    assert sent(states) == ["a"]
    states.acknowledged("a")
    states.all_again()
    assert sent(states) == ["a", "b"], "the source is back"
