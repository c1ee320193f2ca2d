"""One of several sources fails: it is reported at once, the others go on, and the run ends with its error."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Iterator

import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError, SourceError, UsageError
from edge_runtime.loop.ends import Ends
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sinks import SinkOptions
from edge_runtime.sources import SourceOptions
from tests.loop.parts import Numbers, Sink, descriptors, open_detector, threads

SYNTHETIC = "synthetic://64x48?frames=40"


@pytest.fixture
def detector(tmp_path: Path) -> Iterator[Detector]:
    with open_detector(tmp_path) as opened:
        yield opened


def test_the_others_go_on_and_it_is_said_at_once(detector: Detector, caplog: pytest.LogCaptureFixture) -> None:
    class Watching(Sink):
        def write(self, result) -> None:
            super().write(result)
            self.told_at = self.told_at or (len(self.seen) if "cable" in caplog.text else 0)

        told_at = 0

    sink, before = Watching(), (descriptors(), threads())
    pipeline = Pipeline(detector, [Numbers(100, name="a", fails_at=3), Numbers(3000, name="b")], sink)
    with pytest.raises(SourceError, match="cable was pulled"):
        pipeline.run()
    summary = pipeline.summary()
    assert len(sink.seen) == 3003 and 0 < sink.told_at < 3000
    assert summary["failed"] == [{"source": "a", "error": "a: the cable was pulled"}]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] and "source a failed" in caplog.text
    assert (descriptors(), threads()) == before


def test_one_that_cannot_be_opened_is_left_out(detector: Detector, tmp_path: Path, caplog) -> None:
    sink, before = Sink(), (descriptors(), threads())
    missing = str(tmp_path / "missing.mp4")
    pipeline = Pipeline(detector, [SYNTHETIC, missing, SYNTHETIC], sink)
    assert "no such file" in caplog.text and missing in caplog.text
    with pytest.raises(SourceError, match="no such file"):
        list(pipeline)
    assert len(sink.seen) == 80 and [failure["source"] for failure in pipeline.summary()["failed"]] == [missing]
    assert (descriptors(), threads()) == before


def test_a_target_that_nothing_opens_is_a_slip_of_the_pen(detector: Detector) -> None:
    with pytest.raises(UsageError):
        Pipeline(detector, [SYNTHETIC, "clip.xyz"])


def test_all_failed_is_an_error_at_the_start(detector: Detector, tmp_path: Path) -> None:
    targets = [str(tmp_path / name) for name in ("first.mp4", "second.mp4")]
    with pytest.raises(SourceError, match=r"first\.mp4"):
        Pipeline(detector, targets)
    with pytest.raises(SourceError, match=r"first\.mp4"):
        Pipeline(detector, targets[0])


def test_all_break_one_after_the_other(detector: Detector) -> None:
    sink = Sink()
    pipeline = Pipeline(detector, [Numbers(100, name=name, fails_at=at) for name, at in (("a", 5), ("b", 50))], sink)
    with pytest.raises(SourceError):
        pipeline.run()
    assert len(sink.seen) == 55 and {failure["source"] for failure in pipeline.summary()["failed"]} == {"a", "b"}


def test_a_failed_source_that_is_removed_counts_once(caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = (Numbers(1, name=name) for name in "abc")
    ends = Ends([first, second, third], Sink(), SourceOptions(), SinkOptions(), fail_fast=False)
    ends.report("a", SourceError("gone", hint=""))
    ends.remove(first)
    ends.report("b", SourceError("gone", hint=""))
    assert "source b failed, the others go on" in caplog.text


def test_fail_fast_is_the_old_way(detector: Detector, tmp_path: Path) -> None:
    sink = Sink()
    with pytest.raises(SourceError, match="cable was pulled"):
        Pipeline(detector, [Numbers(100, fails_at=3), Numbers(10**6)], sink, fail_fast=True).run()
    assert sink.finished == 1 and len(sink.seen) < 10**6
    with pytest.raises(EdgeError, match="no such file"):
        Pipeline(detector, [SYNTHETIC, str(tmp_path / "missing.mp4")], fail_fast=True)
