"""Leases, rings and the inbox: nothing that somebody reads is overwritten, nothing is lost that is not counted."""

from __future__ import annotations

import threading
from typing import Optional

import numpy as np

from edge_runtime.loop.ring import Inbox, Lease, Ring
from edge_runtime.types import Frame
from tests.native.test_pixels import picture


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


class Memory:
    """A backend's own memory."""

    def __init__(self) -> None:
        self.given = []

    def allocate(self, shape):
        memory = np.empty(np.prod(shape), np.uint8)
        self.given.append(memory.reshape(shape))
        return memory.reshape(shape)


def read(ring: Ring, shape=(2, 2, 3), fresh: bool = False) -> int:
    """Where the image is of a source that writes into the buffer if it fits, or never does."""
    lease = ring.take(1.0)
    fits = lease.buffer is not None and lease.buffer.shape == shape and not fresh
    lease.fill(frame(0, lease.buffer if fits else np.zeros(shape, np.uint8)))
    address = lease.frame.image.ctypes.data
    lease.release()
    return int(address)


def test_sources_write_into_the_backends_memory_once_their_size_is_known():
    memory = Memory()
    ring = Ring(2, memory.allocate)
    places = [read(ring) for _ in range(12)]
    assert [image.shape for image in memory.given] == [(2, 2, 3)] * 2
    assert set(places[4:]) == {image.ctypes.data for image in memory.given}


def test_pictures_of_all_sizes_and_sources_of_their_own_memory_cost_no_allocations():
    memory = Memory()
    ring = Ring(1, memory.allocate)
    for side in range(1, 9):
        read(ring, (side, 2, 3))
    assert not memory.given
    for _ in range(9):
        read(ring, fresh=True)
    assert len(memory.given) == 1


def test_a_backend_without_memory_of_its_own_changes_nothing():
    asked = []
    ring = Ring(1, asked.append)
    assert len({read(ring) for _ in range(5)}) == 1 and asked == [(2, 2, 3)]


def test_pixels_need_no_memory_of_the_backend():
    memory = Memory()
    ring = Ring(1, memory.allocate)
    for index in range(4):
        lease = ring.take(1.0)
        lease.fill(Frame(None, "a", index, 0.0, pixels=picture("nv12", 64, 48, index)))
        assert lease.frame.image.shape == (48, 64, 3)
        lease.release()
    assert not memory.given


def test_live_newest_wins_and_the_rest_is_counted():
    ring, inbox = Ring(8), Inbox(1)
    for index in range(5):
        assert inbox.put(leased(ring, index, live=True))
    assert inbox.get(block=True).frame.index == 4
    assert inbox.dropped == [4]
    assert inbox.get(block=False) is None


def test_a_file_waits_for_a_place_and_loses_nothing():
    ring, inbox, taken = Ring(4), Inbox(1, depth=2), []

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
    ring, inbox = Ring(8), Inbox(3)
    for source, live in ((0, False), (0, False), (1, False), (1, False), (2, True)):
        inbox.put(leased(ring, source=source, live=live))
    assert [inbox.get(block=True).source for _ in range(5)] == [0, 1, 2, 0, 1]


def test_stopping_frees_whoever_waits():
    ring, inbox = Ring(4), Inbox(1, depth=1)
    inbox.put(leased(ring))
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(inbox.put(leased(ring))))
    thread.start()
    inbox.drop_waiting()
    thread.join(5)
    assert not thread.is_alive() and outcome == [False]
    assert inbox.get(block=True) is None
    assert [ring.take(0.01) is not None for _ in range(4)] == [True] * 4, "every lease came back"
