"""Live sources: a recording from the middle of a run begins at a key picture, and its ids and times go on."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.blackbox.engines import open_engine
from edge_runtime.blackbox.recorder import BlackBox
from edge_runtime.blackbox.recording import Recording
from edge_runtime.blackbox.replay import Replay
from edge_runtime.imaging import gst, pyav
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources import gstreamer
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Zone
from tests.blackbox import scenes
from tests.loop.parts import within
from tests.sources.mjpeg import MjpegServer
from tests.sources.rtsp_server import RtspServer, launch
from tests.sources.ts_server import TsServer

pytestmark = pytest.mark.skipif(pyav.reason() is not None, reason="PyAV is needed")
TRACK = TrackOptions(zones=(Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1))),))


def dwell_s(folder: Path) -> float:
    """How long the object had been in the zone when the last result was written."""
    rows = (folder / "out.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    inside = json.loads(rows[-1])["zones"]["all"]["inside"] if rows else []
    return float(inside[0]["dwell_s"]) if inside else 0.0


def recorded(folder: Path, source: Any, server: Any = None, seconds: float = 1.0) -> BlackBox:
    """Runs for longer than is kept. If there is a server, it dies, and the fault is waited for."""
    box = BlackBox(folder / "last.edge", seconds=seconds)
    with scenes.open_engine(scenes.tiny(folder)) as detector:
        pipeline = Pipeline(detector, source, str(folder / "out.jsonl"), track=TRACK, record=box)
        thread = threading.Thread(target=pipeline.run)
        thread.start()
        assert within(30, lambda: pipeline.monitor.frames > 10)
        assert within(30, lambda: dwell_s(folder) > max(seconds, 1.5))
        if server is not None:
            server.stop()
            assert within(20, lambda: bool(box.written))
        else:
            box.save()
        pipeline.stop()
        thread.join(20)
    return box


def check(folder: Path, box: BlackBox, encoded: bool) -> Recording:
    recording = Recording(str(box.written[0]))
    with open_engine(recording.engines[0])[0] as detector:
        replay = Replay(recording, [detector])
        lines = list(replay.run())
    found = replay.found
    assert found.first is None, found.to_dict()
    everything = {row["frame"]: row for row in scenes.lines(folder / "out.jsonl")}
    both = [line for line in lines if line["frame"] in everything]  # an output may drop frames of a live source
    assert both and both == [everything[line["frame"]] for line in both], "equal JSON lines"
    assert lines[0]["frame"] > 0, "it begins in the middle of the run"
    assert lines[-1]["zones"]["all"]["inside"][0]["dwell_s"] > 1.5, "and the times of objects go on"
    kept = sum(frame.kept for frame in recording.frames)  # of a live source, those for which there was time
    assert found.pictures == (found.frames if encoded else kept) > 0
    assert any(stream.parts for stream in recording.streams) == encoded
    return recording


def test_a_stream_of_jpegs_that_is_lost(tmp_path: Path) -> None:
    server = MjpegServer()
    recording = check(tmp_path, recorded(tmp_path, server.url, server, seconds=2), True)
    assert recording.manifest["reason"].startswith("fault: source ")
    states = [row["states"][0]["state"] for row in recording.status]
    assert states[0] == "live" and states[-1] == "lost"
    assert any(row["event"] == "log" and " is lost" in row["message"] for row in recording.log)


def test_h264_over_http(tmp_path: Path) -> None:
    server = TsServer(1000)
    try:
        recording = check(tmp_path, recorded(tmp_path, server.url), True)
    finally:
        server.stop()
    assert recording.streams[0].parts[0].codec == "h264"


def test_a_source_of_pixels(tmp_path: Path) -> None:
    check(tmp_path, recorded(tmp_path, "synthetic://320x240@20"), False)


@pytest.mark.skipif(gstreamer.available() is not None, reason="the server needs GStreamer")
def test_h264_over_rtsp(tmp_path: Path) -> None:
    if not gst.has("x264enc"):
        pytest.skip("the server needs x264enc")
    server = RtspServer(launch())
    try:
        check(tmp_path, recorded(tmp_path, server.url), True)
    finally:
        server.stop()
