"""Addresses with passwords go through whole commands: no file, line or error has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest

from edge_runtime.cli import bench, calibrate, detect
from edge_runtime.text import secrets
from tests.sources.mjpeg import MjpegServer
from tests.tiny import boxes_v8, write_onnx

MODEL = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1"]
SECRETS = ("u5er", "pa55", "t0ken")
DEAD = [
    "http://u5er:pa55@127.0.0.1:9/live?token=t0ken", "rtsp://u5er:pa55/w@127.0.0.1:9/live", "foo://u5er:pa55@host",
    "http://127.0.0.1:9/clip.mp4?password=pa55", "gst:rtspsrc location=rtsp://u5er:pa55@127.0.0.1:9/x user-pw=pa55",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_opened", set())


@pytest.fixture
def address() -> Iterator[str]:
    server = MjpegServer()
    yield server.url.replace("://", "://u5er:pa55@") + "?token=t0ken"
    server.stop()


@pytest.fixture
def engine(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})


def assert_no_secret(folder: Path, said: str) -> None:
    texts = {str(path): path.read_bytes().decode("latin1") for path in folder.rglob("*") if path.is_file()}
    for where, text in {**texts, "terminal": said}.items():
        assert not [secret for secret in SECRETS if secret in where + text], where


@pytest.mark.parametrize("given", ["{}", "env:CAMERA", "@{folder}/camera"])
def test_results_of_detection(given, address, engine, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("CAMERA", address)
    (tmp_path / "camera").write_text(address + "\n", encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    outputs = [
        word for name in ("o.jsonl", "o.csv", "o.coco.json", "{source}.jsonl", "p/") for word in ("--output", name)
    ]
    monkeypatch.chdir(out)
    flags = ["--engine", engine, "--duration", "3", "--log", "run.csv", "--json", "-v", *outputs, *MODEL]
    assert detect.main(["--source", given.format(address, folder=tmp_path), *flags]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["sources"][0].startswith("http://127.0.0.1:")
    assert len(list(out.iterdir())) == 6
    assert_no_secret(out, said.out + said.err)


def test_the_file_with_the_address_is_not_written_over(engine, tmp_path, capsys) -> None:
    clip, camera = tmp_path / "clip.jsonl", tmp_path / "camera.jsonl"
    clip.write_text("", encoding="utf-8")
    camera.write_text(str(clip), encoding="utf-8")
    for output in (camera, clip):
        assert detect.main(["--source", f"@{camera}", "--engine", engine, "--output", str(output), *MODEL]) == 1
        assert "error: " in capsys.readouterr().err and camera.read_text(encoding="utf-8") == str(clip)


@pytest.mark.parametrize("address", DEAD)
def test_errors_of_detection(address, engine, tmp_path, capsys) -> None:
    flags = ["--engine", engine, "--output", str(tmp_path / "o.jsonl"), "-v", *MODEL]
    assert detect.main(["--source", address, *flags]) != 0
    said = capsys.readouterr()
    assert "error: " in said.err
    assert_no_secret(tmp_path, said.out + said.err)


@pytest.mark.parametrize("address", [DEAD[0], DEAD[1], DEAD[3]])
def test_benchmark_files(address, engine, tmp_path, capsys) -> None:
    names = ("b.json", "b.csv", "b.html")
    outputs = [word for name in names for word in ("--output", str(tmp_path / name))]
    flags = ["--engine", engine, "--seconds", "0.1", "--repeats", "1", "--warmup", "0", "--idle", "0", *outputs, *MODEL]
    assert bench.main(["--source", address, *flags]) == 1
    said = capsys.readouterr()
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))["rows"][0]["reasons"]
    assert_no_secret(tmp_path, said.out + said.err)


def test_calibration_from_a_camera(engine, tmp_path, capsys) -> None:
    assert calibrate.main([engine, "--from-source", DEAD[0], "-o", str(tmp_path / "o.onnx"), "-v", *MODEL]) == 1
    said = capsys.readouterr()
    assert "error: " in said.err
    assert_no_secret(tmp_path, said.out + said.err)
