"""Outputs of one source end with it, and not with another one of its name."""

from __future__ import annotations

from edge_runtime.loop.outputs import Outputs
from edge_runtime.loop.ring import Ring
from edge_runtime.types.events import Event
from tests.loop.parts import Sink, within
from tests.loop.test_events import Taker
from tests.loop.test_outbox import item


def test_a_source_that_comes_back_before_the_last_frame_keeps_its_new_outputs() -> None:
    outputs, ring = Outputs(lambda name, error: None, lambda: None, lambda: False, 5.0), Ring(9)
    first, second, common = Sink(), Sink(), Sink()

    def put(number: int, index: int) -> None:
        lease, result = item(ring, index, live=False)
        lease.source = number
        outputs.put(lease, result)
        lease.release()

    outputs.add(common)
    outputs.add(first, "test")
    outputs.start()
    outputs.leave(0, "test")
    outputs.add(second, "test")
    put(0, 1)
    put(1, 2)
    outputs.leave(1, "test")
    outputs.gone(0)
    assert within(5, lambda: first.finished == 1)
    assert len(outputs.boxes) == 2 and not second.finished and not common.finished
    outputs.gone(1)
    assert within(5, lambda: second.finished == 1) and len(outputs.boxes) == 1
    outputs.end()
    assert (first.seen, second.seen, common.seen) == ([1], [2], [1, 2]) and common.finished == 1


def test_an_event_of_a_removed_source_goes_to_its_outputs_and_not_to_those_of_the_next_one() -> None:
    outputs = Outputs(lambda name, error: None, lambda: None, lambda: False, 5.0)
    first, second, common = Taker(), Taker(), Taker()
    outputs.add(common)
    outputs.add(first, "cam")
    outputs.start()
    outputs.offer(Event("source", "cam", 0.0, 1, "run"))
    outputs.leave(0, "cam")
    outputs.add(second, "cam")
    for number, source, place in ((2, "cam", None), (3, "cam", 0), (4, "cam", 1), (5, "", None), (6, "other", 2)):
        outputs.offer(Event("source", source, 0.0, number, "run"), place)
    outputs.gone(0)
    outputs.offer(Event("source", "other", 0.0, 7, "run"), 2)
    outputs.end()
    taken = [[event.number for event in taker.events] for taker in (first, second, common)]
    assert taken == [[1, 3, 5], [2, 4, 5], [1, 2, 3, 4, 5, 6, 7]]
