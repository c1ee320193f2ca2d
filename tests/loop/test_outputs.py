"""Outputs of one source end with it, and not with another one of its name."""

from __future__ import annotations

from edge_runtime.loop.outputs import Outputs
from edge_runtime.loop.ring import Ring
from tests.loop.parts import Sink, within
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
