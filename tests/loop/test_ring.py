"""Leases, rings and the inbox: nothing that somebody reads is overwritten, nothing is lost that is not counted."""

from __future__ import annotations

import threading
from typing import Optional

import numpy as np

from edge_runtime.loop.ring import Inbox, Lease, Ring
from edge_runtime.types import Frame


def frame(index: int = 0, image: Optional[np.ndarray] = None) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8) if image is None else image, "test", index, 0.0)


def leased(ring: Ring, index: int = 0, source: int = 0, live: bool = False) -> Lease:
    lease = ring.take(1.0)
    assert lease is not None
    lease.fill(frame(index))
    lease.source, lease.live = source, live
    return lease


def test_a_buffer_is_used_again_after_the_last_reader():
    ring = Ring(1)
    lease = leased(ring)
    buffer_id = id(lease.buffer)
    lease.hold()
    lease.release()
    assert ring.take(0.01) is None, "one reader is still there"
    lease.release()
    again = ring.take(0.01)
    assert again is lease and id(again.buffer) == buffer_id and again.frame is None


def test_a_buffer_that_somebody_kept_is_left_to_them():
    ring = Ring(1)
    lease = leased(ring)
    kept = lease.frame.image
    lease.release()
    again = ring.take(0.01)
    assert again.buffer is None, "the next frame must not be written into an image the user kept"
    kept[:] = 7


def test_a_view_keeps_the_buffer_too():
    ring = Ring(1)
    lease = leased(ring)
    crop = lease.frame.image[:1, :1]
    lease.release()
    assert ring.take(0.01).buffer is None
    assert crop.base is not None


def test_live_newest_wins_and_the_rest_is_counted():
    ring, inbox = Ring(8), Inbox([True])
    for index in range(5):
        assert inbox.put(leased(ring, index, live=True))
    assert inbox.get(block=True).frame.index == 4
    assert inbox.dropped == [4]
    assert inbox.get(block=False) is None


def test_a_file_waits_for_a_place_and_loses_nothing():
    ring, inbox, taken = Ring(4), Inbox([False], depth=2), []

    def capture() -> None:
        for index in range(50):
            inbox.put(leased(ring, index))
        inbox.end(0)

    thread = threading.Thread(target=capture)
    thread.start()
    while True:
        lease = inbox.get(block=True)
        if lease is None:
            break
        taken.append(lease.frame.index)
        lease.release()
    thread.join(5)
    assert taken == list(range(50)) and inbox.dropped == [0]


def test_sources_are_served_in_turn():
    ring, inbox = Ring(8), Inbox([False, False, True])
    for source, live in ((0, False), (0, False), (1, False), (1, False), (2, True)):
        inbox.put(leased(ring, source=source, live=live))
    assert [inbox.get(block=True).source for _ in range(5)] == [0, 1, 2, 0, 1]


def test_stopping_frees_whoever_waits():
    ring, inbox = Ring(4), Inbox([False], depth=1)
    inbox.put(leased(ring))
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(inbox.put(leased(ring))))
    thread.start()
    inbox.drop_waiting()
    thread.join(5)
    assert not thread.is_alive() and outcome == [False]
    assert inbox.get(block=True) is None
    assert [ring.take(0.01) is not None for _ in range(4)] == [True] * 4, "every lease came back"
