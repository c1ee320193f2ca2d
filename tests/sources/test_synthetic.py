"""The test pattern: how it is asked for, how it moves, how it is paced."""

from __future__ import annotations

import threading
import time
from typing import Optional, Tuple

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.errors import UsageError
from edge_runtime.sources import SourceOptions


@pytest.mark.parametrize(
    "target, shape, fps, frames",
    [
        ("synthetic", (720, 1280), None, None),
        ("synthetic://640x480", (480, 640), None, None),
        ("synthetic://640x480@0", (480, 640), None, None),
        ("synthetic://@29.97", (720, 1280), 29.97, None),
        ("synthetic://?frames=5", (720, 1280), None, 5),
        ("synthetic://1x1?frames=2", (1, 1), None, 2),
        ("synthetic://32x16@1000?frames=20000", (16, 32), 1000, None),
    ],
)
def test_targets(target: str, shape: Tuple[int, int], fps: Optional[float], frames: Optional[int]) -> None:
    source = sources.open(target)
    assert source.read().image.shape == (*shape, 3)
    assert (source.fps, source.frame_count, source.live) == (fps, frames, fps is not None)


def test_options_fill_in_what_the_target_leaves_out() -> None:
    options = SourceOptions(size_wh=(64, 32), fps=500.0)
    assert sources.open("synthetic", options).read().image.shape == (32, 64, 3)
    assert sources.open("synthetic", options).fps == 500.0
    assert sources.open("synthetic://16x8@100", options).fps == 100.0


@pytest.mark.parametrize(
    "target", ["synthetic://big", "synthetic://640", "synthetic://0x480", "synthetic://1x1?loop=1"]
)
def test_nonsense(target: str) -> None:
    with pytest.raises(UsageError) as caught:
        sources.open(target)
    assert caught.value.hint


def test_frames_differ_and_repeat_from_run_to_run() -> None:
    first, again = sources.open("synthetic://64x48"), sources.open("synthetic://64x48")
    frames = [first.read().image for _ in range(3)]
    assert not np.array_equal(frames[0], frames[1])
    for frame in frames:
        np.testing.assert_array_equal(frame, again.read().image)


def test_a_late_reader_misses_frames() -> None:
    source = sources.open("synthetic://8x8@1000")
    assert source.read().index == 0
    time.sleep(0.05)
    assert source.read().index >= 49


def test_never_early() -> None:
    source = sources.open("synthetic://8x8@200")
    source.read()
    started = time.monotonic()
    frame = source.read()
    for _ in range(9):
        frame = source.read()
    assert time.monotonic() - started >= (frame.index - 1) / 200 - 0.001


def test_close_interrupts_the_wait() -> None:
    source = sources.open("synthetic://8x8@0.001")
    source.read()
    reader = threading.Thread(target=source.read)
    reader.start()
    source.close()
    reader.join(5)
    assert not reader.is_alive()
