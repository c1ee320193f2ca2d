"""Clips of a pipeline: of a live stream that dies and comes back, and through the command."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest

from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.track.options import TrackOptions
from tests.hearing import heed_signals
from tests.loop.parts import open_detector, within
from tests.sources.mjpeg import MjpegServer
from tests.tiny import boxes_v8, write_onnx

av = pytest.importorskip("av")
FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--tune", "off"]


def clips(folder: Path) -> List[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == ".mkv") if folder.exists() else []


def pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
        return sum(1 for _ in container.decode(video=0))


def rows(path: Path) -> List[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_stream_that_comes_back_gives_a_clip_of_each_part(tmp_path: Path) -> None:
    server, folder = MjpegServer(), tmp_path / "clips"
    port = server.port
    targets = [f"clips:{folder}?before=1&after=1", f"events:{tmp_path}/out.jsonl"]
    with open_detector(tmp_path) as detector:
        pipeline = Pipeline(detector, server.url, targets, track=TrackOptions())
        thread = threading.Thread(target=pipeline.run)
        thread.start()
        until: Callable[[int], bool] = lambda n: within(20, lambda: len(clips(folder)) == n)  # noqa: E731
        assert until(1)
        time.sleep(0.3)
        server.stop()
        server = MjpegServer(port)
        assert until(2)
        time.sleep(0.3)
        pipeline.stop()
        thread.join(20)
        server.stop()
    assert not thread.is_alive() and [pictures(path) > 10 for path in clips(folder)] == [True, True]
    found = rows(tmp_path / "out.jsonl")
    ends = [row["why"] for row in found if row["event"] == "end"]
    assert ends == ["restart", "end of run"], "the objects of a stream end where it begins again"
    assert abs(found[0]["time"] - time.time()) < 60 and found[0]["time"] == pytest.approx(
        found[0]["timestamp_s"], abs=1
    )
    about = pipeline.summary()["sinks"][targets[0]]["events"]
    assert about["clips"] == 2 and about["lost"] == 0 and "clips_lost" not in about


def test_a_kill_leaves_a_clip_that_plays_and_is_listed(tmp_path: Path) -> None:
    engine = write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    server, folder = MjpegServer(), tmp_path / "clips"
    command = [sys.executable, "-m", "edge_runtime.cli.detect", "--engine", engine, "--source", server.url, *FLAGS]
    command += ["--output", f"clips:{folder}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=heed_signals)
    try:
        assert within(40, lambda: any(path.stat().st_size > 200_000 for path in clips(folder)))
    finally:
        process.kill()
        process.wait()
        server.stop()
    (clip,) = clips(folder)
    assert pictures(clip) > 20 and rows(folder / "clips.jsonl")[0]["file"] == clip.name
