"""The shelf keeps within its seconds and bytes, whatever comes."""

from __future__ import annotations

from typing import Any, List

import numpy as np

from edge_runtime.blackbox.kept import Kept, Shelf
from tests.loop.parts import within

KIB = np.zeros(1024, np.uint8)


def kept(number: int, boxes: int = 0, outputs: bool = False) -> Kept:
    nothing: Any = None
    found = np.zeros((boxes, 6), np.float32)
    return Kept({"frame": number}, found, nothing, nothing, 0, 0, 0, None, {}, outputs=[KIB.view(np.float32)] * outputs)


def numbers(shelf: Shelf) -> List[int]:
    return [each.row["frame"] for each in shelf.all()]


def test_pictures_go_first_and_then_the_oldest_results() -> None:
    shelf = Shelf(60, 100 * 1024)
    for number in range(40):
        each = kept(number)
        shelf.add(each)
        shelf.set_planes(each, [KIB] * 10)
    found = shelf.all()
    assert numbers(shelf) == list(range(40)), "results are small"
    with_planes = [each.row["frame"] for each in found if each.planes]
    assert with_planes and with_planes == list(range(40 - len(with_planes), 40)), "the newest pictures"
    assert shelf.stripped == 40 - len(with_planes)
    for number in range(40, 400):
        shelf.add(kept(number, boxes=3, outputs=True))
    assert numbers(shelf)[-1] == 399 and 20 < len(numbers(shelf)) < 40 and not any(e.planes for e in shelf.all())


def test_time_passes() -> None:
    shelf, first = Shelf(0.2, 1 << 20), kept(0)
    shelf.add(first)
    assert numbers(shelf) == [0]
    assert within(5, lambda: not numbers(shelf))
    shelf.set_planes(first, [KIB])
    assert first.planes is None, "a picture that comes too late is not kept"


def test_one_result_that_is_too_large_stays_alone() -> None:
    shelf = Shelf(60, 1000)
    for number in range(3):
        shelf.add(kept(number, boxes=50))
    assert numbers(shelf) == [2]


def test_what_was_kept_when_a_recording_began_stays_in_it() -> None:
    shelf, first = Shelf(60, 8 * 1024), kept(0, outputs=True)
    shelf.add(first)
    shelf.set_planes(first, [KIB])
    second = kept(1, outputs=True)
    second.waits = False
    shelf.add(second)
    taken = shelf.all()
    for number in range(2, 6):
        shelf.add(kept(number, outputs=True))
    assert first.planes is None and first.outputs is None and second.outputs is None
    assert taken[0].planes and taken[0].outputs and taken[1].outputs


def test_a_picture_that_comes_while_a_recording_is_written_is_in_it() -> None:
    shelf, last = Shelf(60, 1 << 20), kept(0, outputs=True)
    shelf.add(last)
    taken = shelf.all()
    shelf.set_planes(last, [KIB])
    assert taken[0].planes and taken[0].outputs


def test_states_of_trackers_count() -> None:
    shelf = Shelf(60, 1 << 20)
    for number in range(100):
        each = kept(number)
        each.tracks = {"core": [[[0.0] * 25] * 200, 0.0, 0]}
        shelf.add(each)
    assert len(numbers(shelf)) < 6
