"""One consumer's queue: a full one costs a live source frames and no buffers, and whoever is left behind holds none."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
import pytest

from edge_runtime.errors import SinkError
from edge_runtime.loop.outbox import Reader, SinkThread
from edge_runtime.loop.ring import Lease, Ring
from edge_runtime.types import Detections, Frame, Result
from tests.loop.parts import Sink, within

NONE = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32), ())


def item(ring: Ring, index: int, live: bool = True) -> Tuple[Lease, Result]:
    """A frame that one reader, the detecting thread, has in hand."""
    lease = ring.take(0.0)
    assert lease is not None, "no buffer is free"
    lease.fill(Frame(np.zeros((2, 2, 3), np.uint8), "test", index, 0.0))
    lease.live = live
    return lease, Result(lease.frame, NONE, {}, 0.0)  # type: ignore[arg-type]


def free(ring: Ring) -> int:
    return len(list(iter(lambda: ring.take(0.0), None)))


class Failing(Sink):
    def write(self, result: Result) -> None:
        super().write(result)
        raise SinkError("the disk is full", hint="make room")


def test_a_full_queue_drops_and_gives_the_buffer_back() -> None:
    ring, reader = Ring(4), Reader(2)
    for index in range(5):
        lease, result = item(ring, index)
        reader.put(lease, result)
        lease.release()
    assert reader.summary() == {"dropped": 3} and free(ring) == 2
    results = iter(reader)
    assert [next(results)[1].frame.index for _ in range(2)] == [0, 1]


def test_leaving_gives_back_all_that_waits_and_takes_nothing_more() -> None:
    ring, reader = Ring(3), Reader(3)
    for index in range(2):
        lease, result = item(ring, index)
        reader.put(lease, result)
        lease.release()
    reader.leave()
    lease, result = item(ring, 2)
    reader.put(lease, result)
    lease.release()
    reader.end()
    assert free(ring) == 3 and list(reader) == [] and reader.summary() == {"dropped": 0}


def test_the_end_is_still_there_for_who_waits_when_it_is_left_behind() -> None:
    reader = Reader(2)
    reader.end()
    reader.leave()
    assert reader._queue.get(timeout=5) is None


@pytest.fixture
def failed() -> List[Tuple[str, str]]:
    return []


def thread(sink: Sink, failed: List[Tuple[str, str]]) -> SinkThread:
    made = SinkThread(sink, 2, lambda name, error: failed.append((name, str(error))), lambda: None, sink.close)
    made.start()
    return made


def test_a_sink_gets_everything_in_order_and_is_closed_once(failed: List[Tuple[str, str]]) -> None:
    ring, sink = Ring(4), Sink()
    box = thread(sink, failed)
    for index in range(20):
        lease, result = item(ring, index, live=False)
        box.put(lease, result)
        lease.release()
        assert within(5, lambda index=index: len(sink.seen) > index)  # type: ignore[misc]
    assert within(5, lambda: not box.hangs(0.0, -1.0)), "it waits again"
    box.end()
    box.join()
    assert sink.seen == list(range(20)) and sink.finished == 1 and not failed and not box.broken
    assert box.summary()["dropped"] == 0 and set(box.summary()["ms"]) == {"mean", "p50", "p95", "p99"}
    del lease, result
    assert free(ring) == 4


def test_a_sink_that_fails_is_told_once_closed_and_spared(failed: List[Tuple[str, str]]) -> None:
    ring, sink = Ring(4), Failing("card.jsonl")
    box = thread(sink, failed)
    for index in range(3):
        lease, result = item(ring, index, live=False)
        box.put(lease, result)
        lease.release()
    box.end()
    box.join()
    assert failed == [("card.jsonl", "the disk is full")] and box.broken
    assert sink.seen == [0] and sink.finished == 1
    del lease, result
    assert free(ring) == 4


def test_only_a_call_that_lasts_hangs_and_only_from_when_it_was_asked(failed: List[Tuple[str, str]]) -> None:
    ring, sink = Ring(2), Sink(hangs_at=0)
    box = thread(sink, failed)
    assert not box.hangs(0.0, 0.0), "it waits for work"
    lease, result = item(ring, 0)
    box.put(lease, result)
    lease.release()
    assert sink.hanging.wait(10)
    assert box.hangs(0.0, -1.0) and not box.hangs(1e12, 0.0) and not box.hangs(0.0, 1e12)
    box.leave()
    assert not box.hangs(0.0, -1.0), "it is left behind already"
    box.end()
    box.join()  # does not wait for it
    sink.gate.set()
    assert within(10, lambda: sink.finished == 1)
