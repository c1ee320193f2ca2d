"""The kernel that suppresses: the rows of numpy's greedy NMS to the last bit, in few rounds of the block."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.crowds import KINDS, Crowd, crowd, expected, kept, suppressed

SANITIZED = "EDGE_KERNEL_FLAGS" in os.environ
MANY = () if SANITIZED else (5121, 30_000, 30_001)
DEVICE = 1024  # threads of a block on the device
BEFORE = {300: 89, 640: 99, 1024: 99, 1025: 900, 8400: 900, 30_000: 900}  # rounds of the first one, at 300 kept


def assert_right(people: Crowd, iou: float, max_det: int, nms: bool = True, threads: int = 64) -> None:
    rows, _ = suppressed(people, iou, max_det, nms, threads)
    want = expected(people, iou, max_det, nms)
    assert rows.shape == want.shape
    np.testing.assert_array_equal(rows.view(np.uint32), want.view(np.uint32))


@settings(max_examples=5 if SANITIZED else 30, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    count=st.one_of(st.integers(0, 700), st.integers(600, 6000), st.integers(0, 30_000)),
    classes=st.sampled_from([1, 3, 80]),
    seed=st.integers(0, 10**6),
    iou=st.sampled_from([0.0, 0.3, 0.45, 0.7, 1.0]),
    max_det=st.sampled_from([1, 20, 300, 1000]),
    nms=st.booleans(),
    threads=st.sampled_from([32, 64]),
)
def test_every_count_of_every_kind(kind, count, classes, seed, iou, max_det, nms, threads):
    assert_right(crowd(kind, count, classes, seed), iou, max_det, nms, threads)


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 639, 640, 641, 1023, 1024, 1025, *MANY])
def test_counts_about_every_limit(count):
    for kind in ("of objects", "of objects in turn", "of one score"):
        assert_right(crowd(kind, count, seed=count), 0.45, 300)


@pytest.mark.parametrize("max_det", [1, 31, 32, 33, 299, 639, 640, 641, 1100])
def test_no_more_are_kept_than_are_wanted(max_det):
    people = crowd("anywhere", 3000, 80)
    assert_right(people, 1.0, max_det)
    assert_right(people, 1.0, max_det, nms=False)


def test_the_order_in_memory_does_not_matter():
    people = crowd("of few scores", 2000, 3)
    order = np.random.default_rng(1).permutation(2000)
    other = people._replace(**{name: getattr(people, name)[order] for name in ("scores", "boxes", "numbers")})
    np.testing.assert_array_equal(suppressed(people, 0.45, 300)[0], suppressed(other, 0.45, 300)[0])


@pytest.mark.skipif(SANITIZED, reason="counts rounds, not errors")
@pytest.mark.parametrize("kind", ["anywhere", "of few scores"])
@pytest.mark.parametrize("count", BEFORE)
def test_a_tenth_of_the_rounds_at_300_kept(kind, count):
    people = crowd(kind, count, 80)
    assert len(kept(people, 0.45, 300)) == 300
    assert 10 * suppressed(people, 0.45, 300, threads=DEVICE)[1] <= BEFORE[count]
