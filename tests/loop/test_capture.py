"""The thread that reads a source: what it borrowed is given back, whatever fails."""

from __future__ import annotations

import threading
from typing import Any, List

from edge_runtime.loop.capture import SourceThread
from edge_runtime.loop.ring import Inbox, Ring
from tests.loop.parts import Numbers, within


class Failing:
    """In the place of what looks for motion."""

    def seen(self, *_: Any) -> bool:
        raise MemoryError("no room for the small picture")


def test_a_buffer_is_given_back_if_its_frame_cannot_be_looked_at() -> None:
    errors: List[BaseException] = []
    motion: Any = Failing()
    thread = SourceThread(0, Numbers(5), Inbox(2), threading.Event(), lambda _, error: errors.append(error), motion)
    ring = Ring(2)
    thread.start(ring)
    assert within(5, lambda: bool(errors)) and isinstance(errors[0], MemoryError)
    assert within(5, lambda: thread.done) and ring.is_whole
