"""edge-detect --record, and edge-replay: signals, secrets, exit codes and what is printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, List

import pytest

from edge_runtime.cli import detect, replay
from edge_runtime.detect.detector import Detector
from tests.blackbox import scenes
from tests.blackbox.rewritten import rewrite
from tests.detect.test_golden import YOLO, damaged, recorded, with_golden
from tests.hearing import heed_signals
from tests.loop.parts import within
from tests.sources.mjpeg import MjpegServer

pytest.importorskip("av")
LOGIN = "watcher:kX9-quarz-71f"
FLAGS = ["--family", "yolo_v8", "--labels", "cat,person,dog", "--threads", "1", "--tune", "off", "--idle", "0"]


def words(folder: Path, *more: str) -> List[str]:
    return [str(scenes.tiny(folder)), *FLAGS, "--record", str(folder / "a.edge"), *more]


def test_a_signal_a_lost_camera_and_no_secret(tmp_path: Path, capsys: Any) -> None:
    server, out = MjpegServer(), tmp_path / "out.jsonl"
    address = server.url.replace("//", f"//{LOGIN}@")
    command = [sys.executable, "-m", "edge_runtime.cli.detect"]
    command += words(tmp_path, address, "--track", "--output", str(out), "--record-s", "1")
    process = subprocess.Popen(command, preexec_fn=heed_signals, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        assert within(40, lambda: out.exists() and out.read_bytes().count(b"\n") > 20)
        process.send_signal(signal.SIGUSR2)
        assert within(20, lambda: (tmp_path / "a.edge").exists())
        server.stop()
        assert within(20, lambda: (tmp_path / "a-2.edge").exists())
        process.terminate()
        said = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 0 and f"recorded: {tmp_path / 'a-2.edge'}" in said
    assert not (tmp_path / "a-3.edge").exists(), "SIGTERM is an end like others"
    for name, reason in (("a.edge", "SIGUSR2"), ("a-2.edge", "fault: source ")):
        content = (tmp_path / name).read_bytes()
        assert not any(word.encode() in content for word in LOGIN.split(":"))
        manifest = json.loads(zipfile.ZipFile(tmp_path / name).read("manifest.json"))
        assert manifest["reason"].startswith(reason) and manifest["run"]["flags"]["track"] is True
    assert replay.main([str(tmp_path / "a.edge"), "--output", str(tmp_path / "again.jsonl")]) == 0
    assert "results are equal" in capsys.readouterr().err
    written = {row["frame"]: row for row in scenes.lines(out)}  # an output may drop frames of a live source
    both = [row for row in scenes.lines(tmp_path / "again.jsonl") if row["frame"] in written]
    assert both and both == [written[row["frame"]] for row in both]


def test_a_file_at_its_end_and_another_engine(tmp_path: Path, capfd: Any) -> None:
    video, out, again = scenes.write_video(tmp_path / "a.mp4", 8), tmp_path / "out.jsonl", tmp_path / "again.jsonl"
    assert detect.main(words(tmp_path, str(video), "--output", str(out), "--record-end")) == 0
    capfd.readouterr()
    recording = str(tmp_path / "a.edge")
    assert replay.main([recording, "--output", str(again), "--json"]) == 0
    assert out.read_bytes() == again.read_bytes() and json.loads(capfd.readouterr().out)["equal"] is True
    assert replay.main([recording, "--output", "-"]) == 0
    assert capfd.readouterr().out == out.read_text(encoding="utf-8")
    (tmp_path / "tiny.onnx").rename(tmp_path / "gone.onnx")
    assert replay.main([recording]) == 2
    said = capfd.readouterr().err
    assert "is not here: tiny.onnx" in said and "--engine FILE" in said
    other = scenes.write_onnx(tmp_path / "other.onnx", {"output0": scenes.boxes_v8((30, 30, 16, 8, 0.9, 1))})
    assert replay.main([recording, "--engine", other]) == 1
    said = capfd.readouterr().err
    assert "they part at the network, first in frame 0 of " in said and "what the host computes is equal" in said
    assert "is not the file that was recorded" in said
    assert replay.main([recording, "--engine", str(scenes.ENGINE)]) == 2
    assert "has other classes than the engine of the recording" in capfd.readouterr().err


def test_a_picture_that_was_decoded_otherwise(tmp_path: Path, capsys: Any) -> None:
    assert detect.main(words(tmp_path, str(scenes.write_video(tmp_path / "a.mp4", 4)), "--record-end")) == 0

    def other(content: bytes) -> bytes:
        rows = [json.loads(line) for line in content.splitlines()]
        rows[2]["pixels"] = rows[2]["tensor"] = "0" * 32
        return scenes.as_text(rows).encode()

    def board(manifest: Any) -> None:
        manifest["software"]["libavcodec"] = "58.1.2"

    path = rewrite(tmp_path / "a.edge", {"frames.jsonl": other}, board)
    capsys.readouterr()
    assert replay.main([str(path)]) == 1
    said = capsys.readouterr().err
    assert (
        "they part at the picture, first in frame 2 of " in said and "another decoder: libavcodec 58.1.2 there" in said
    )
    assert "fault of edge-runtime" not in said, "the tensor differs because the picture does"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["gone.edge"], "is not there"),
        (["junk.edge"], "is not a recording"),
        (["junk.edge", "--output", "a.csv"], "expected FILE.jsonl"),
        (["junk.edge", "--output", "-", "--json"], "both write to stdout"),
        (["junk.edge", "--output", "junk.edge.jsonl"], "is not a recording"),
    ],
)
def test_what_is_refused(typed: List[str], said: str, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.edge").write_bytes(os.urandom(1000))
    assert replay.main(typed) == 2
    printed = capsys.readouterr().err
    assert said in printed and "hint: " in printed


def test_settings_without_a_file_and_a_file_that_is_read(tmp_path: Path, capsys: Any) -> None:
    base, video = [str(scenes.tiny(tmp_path)), *FLAGS], str(scenes.write_video(tmp_path / "a.mp4", 2))
    assert detect.main([*base, "demo", "--record-s", "5"]) == 1
    assert "add --record last60.edge" in capsys.readouterr().err
    assert detect.main([*base, video, "--record", video]) == 1
    assert "both source and output" in capsys.readouterr().err


def test_an_engine_that_does_not_find_its_golden_frames_is_looked_at(tmp_path: Path, capsys: Any) -> None:
    engine = with_golden(YOLO, tmp_path / "m.onnx", recorded(YOLO))
    damaged(engine, 3.0)
    typed = [str(engine), str(scenes.write_video(tmp_path / "a.mp4", 4)), *FLAGS[4:], "--record-end"]
    typed += ["--record", str(tmp_path / "a.edge")]
    assert detect.main(typed) == 1 and detect.main([*typed, "--no-golden"]) == 0
    assert replay.main([str(tmp_path / "a.edge")]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "out.mp4", "last60"])
def test_a_recording_without_its_suffix_is_refused(name: str, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """An empty name is that of a variable that is not set: without an error nothing would be recorded."""
    monkeypatch.chdir(tmp_path)
    assert detect.main([str(scenes.tiny(tmp_path)), *FLAGS, "demo", "--max-frames", "2", "--record", name]) == 1
    assert f"--record is {name!r}" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.onnx"]


def test_a_full_disk(tmp_path: Path) -> None:
    """The limit is one of the size of files, which a full disk looks like."""
    start = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
    start += "from edge_runtime.cli import detect; sys.exit(detect.main(sys.argv[1:]))"
    typed = words(tmp_path, str(scenes.write_video(tmp_path / "a.mp4", 30)), "--record-end")
    done = subprocess.run([sys.executable, "-c", start, *typed], capture_output=True, encoding="utf-8", timeout=100)
    assert done.returncode == 0 and "30 frames" in done.stderr, done.stderr
    assert "recordings lost: 1" in done.stderr and "a recording is lost, all else goes on" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "tiny.onnx"], "nothing is left behind"


def test_a_signal_while_engines_and_sources_are_opened_does_not_end_it(tmp_path: Path, monkeypatch: Any) -> None:
    opened = Detector.open

    def interrupted(*given: Any, **more: Any) -> Detector:
        signal.raise_signal(signal.SIGUSR2)
        return opened(*given, **more)

    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    monkeypatch.setattr(Detector, "open", interrupted)
    assert detect.main(words(tmp_path, str(scenes.write_video(tmp_path / "a.mp4", 4)))) == 0
    assert (tmp_path / "a.edge").exists()
