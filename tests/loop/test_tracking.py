"""Ids in a pipeline: from the frames of each source, in order, also where a source begins again."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np

from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Frame
from tests.loop.parts import Numbers, open_detector


class Looping(Numbers):
    """Begins again after each fourth frame."""

    restarts = 0

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[Frame]:
        frame = super().read(buffer)
        self.restarts = (self.index - 1) // 4
        return frame


def test_results_have_ids(tmp_path: Path) -> None:
    sources = [Numbers(5, name="a"), Looping(8, name="b")]
    pipeline = Pipeline(open_detector(tmp_path), sources, track=TrackOptions())
    seen = {"a": [], "b": []}
    for result in pipeline:
        seen[result.frame.source].append(result.detections.tracker_id.tolist())
        assert result.stage_ms["tracking"] >= 0
    assert seen["a"] == [[-1], [1], [1], [1], [1]]
    assert seen["b"] == [[-1], [1], [1], [1], [-1], [2], [2], [2]]
    assert pipeline.summary()["tracking"] == {"a": {"objects": {"b": 1}}, "b": {"objects": {"b": 2}}}


def test_without_tracking_there_are_no_ids(tmp_path: Path) -> None:
    pipeline = Pipeline(open_detector(tmp_path), Numbers(2))
    assert all(result.detections.tracker_id is None for result in pipeline)
    assert "tracking" not in pipeline.summary()
