"""The demo clip: deterministic, unsquashed views of the photographs."""

from __future__ import annotations

from typing import Tuple

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.sources import SourceOptions, demo


@pytest.fixture
def opened() -> sources.Source:
    return sources.open("demo://")


def test_ten_seconds_of_720p30(opened: sources.Source) -> None:
    assert (opened.frame_count, opened.fps, opened.live) == (300, 30.0, False)
    assert opened.read().image.shape == (720, 1280, 3)


def test_the_same_frames_each_time(opened: sources.Source) -> None:
    again = sources.open("demo")
    for _ in range(3):
        np.testing.assert_array_equal(opened.read().image, again.read().image)


def test_the_view_moves_slowly_and_changes_with_the_photograph(opened: sources.Source) -> None:
    frames = [opened.read().image.astype(np.int16) for _ in range(102)]
    steps = [np.abs(b - a).mean() for a, b in zip(frames, frames[1:])]
    assert 0 < np.median(steps[:99]) < 10 < 2 * max(steps[:99]) < steps[99]


@pytest.mark.parametrize("size_wh", [(1280, 720), (640, 480), (100, 400)])
def test_views_keep_the_photograph_s_shape_and_waste_nothing(size_wh: Tuple[int, int]) -> None:
    """Along either axis the view lies inside the photograph, or all of the photograph inside the view."""
    for _, *path in demo.SCENES:
        for t in (0.0, 0.3, 1.0):
            view = demo._view((451, 300), size_wh, path, t)
            assert view[0, 0] == view[1, 1] and view[0, 1] == view[1, 0] == 0
            corners = view @ np.array([[-0.5, -0.5, 1], [size_wh[0] - 0.5, size_wh[1] - 0.5, 1]]).T
            first, last = corners[:, 0] + 0.5, np.array([450.5, 299.5]) - corners[:, 1]
            assert np.all(first * last >= -1e-6), "both ends inside, or both outside"


def test_other_sizes(opened: sources.Source) -> None:
    source = sources.open("demo", SourceOptions(size_wh=(320, 240)))
    assert source.read().image.shape == (240, 320, 3)


def test_the_photographs_come_along_with_their_licence() -> None:
    said = (demo.PHOTOS / "SOURCE.txt").read_text(encoding="utf-8")
    for name, *_ in demo.SCENES:
        assert (demo.PHOTOS / name).is_file() and name in said
