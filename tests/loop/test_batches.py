"""Batches across streams: the same results as one by one, fair parts, and no frame that waits long for others."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.imaging.picture import to_bgr
from edge_runtime.loop import detecting
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.ring import Inbox
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Frame
from tests.loop.parts import Numbers
from tests.models import MODELS, PICTURES

TIMES = ("latency_ms", "stage_ms")


class Moving(Numbers):
    """One of the small pictures, which moves from frame to frame."""

    def __init__(self, count: int, picture: int) -> None:
        super().__init__(count, name=f"moving{picture}")
        self._image = to_bgr(str(PICTURES[picture]))

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[Frame]:
        frame = super().read(buffer)
        if frame is not None:
            frame.image = np.roll(self._image, 2 * frame.index, axis=1)
        return frame


def rows(folder: Path, backend: str, batch: int) -> List[Dict[str, Any]]:
    """What a run over three sources of different lengths writes, without times."""
    out = folder / f"{backend}{batch}.jsonl"
    sources = [Moving(9, 0), Moving(5, 1), Moving(7, 2)]
    with Detector.open(MODELS / "yolo_v5.onnx", backend=backend, threads=1, conf=0.1, batch=batch) as detector:
        summary = Pipeline(detector, sources, str(out), track=TrackOptions()).run()
    assert {name: each["frames"] for name, each in summary["streams"].items()} == {
        "moving0": 9, "moving1": 5, "moving2": 7}  # fmt: skip
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for row in found:
        for name in TIMES:
            del row[name]
    return sorted(found, key=lambda row: row["source"])  # stable: the order within a source stays as it was written


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_batches_write_what_single_frames_write(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    alone = rows(tmp_path, backend, 1)
    assert sum(len(row["detections"]) for row in alone) > 20
    assert [row["frame"] for row in alone] == [*range(9), *range(5), *range(7)]
    for batch in (2, 3):
        assert rows(tmp_path, backend, batch) == alone


def test_a_batch_takes_a_frame_of_each_source_in_turn(tmp_path: Path) -> None:
    """Both sources always have frames; no source gets two places while another has none."""
    with Detector.open(MODELS / "yolo_v5.onnx", backend="onnxruntime", threads=1, batch=2) as detector:
        batches: List[List[str]] = []
        enqueue = detector.backend.enqueue
        sources = [Moving(12, 0), Moving(12, 1)]
        pipeline = Pipeline(detector, sources, warmup=0)
        taken: List[str] = []
        inbox = pipeline._run.inbox
        get = inbox.get

        def noted(*about: Any) -> Any:
            with inbox._changed:  # until each source that goes on has a frame here
                ready = lambda: all(queue or number not in inbox._open for number, queue in inbox._queues.items())  # noqa: E731
                inbox._changed.wait_for(ready, 2)
            lease = get(*about)
            if lease is not None:
                taken.append(lease.frame.source)
            return lease

        def noting(slot: int, images: Any) -> None:
            batches.append(taken[-len(images) :])
            enqueue(slot, images)

        inbox.get, detector.backend.enqueue = noted, noting  # type: ignore[method-assign]
        pipeline.run()
    full = [each for each in batches if len(each) == 2]
    assert len(taken) == 24 and len(full) >= 8
    assert sum(each == ["moving0", "moving0"] or each == ["moving1", "moving1"] for each in full) <= 2


def test_a_frame_waits_for_others_only_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert detecting.FILL_S <= 0.005, "it is part of the latency of live sources; README says it"
    inbox = Inbox(1)
    began_s = time.monotonic()
    assert inbox.get(False) is None and inbox.get(False, 0.01) is None, "nobody sends a frame"
    threading.Timer(0.02, inbox.end, (0,)).start()
    assert inbox.get(False, 30) is None, "and nobody will"
    assert time.monotonic() - began_s < 20
