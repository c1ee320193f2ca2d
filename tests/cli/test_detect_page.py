"""edge-detect --output http://…: the address is printed, the page shows the run, and Ctrl-C ends both."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("h11")
from edge_runtime.cli import detect
from tests.sinks.web.client import TOKEN, ask_json, watching
from tests.tiny import boxes_v8, write_onnx

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--tune", "off", "--source"]


@pytest.fixture
def engine(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


def test_the_page_of_a_run(engine: str) -> None:
    words = ["--engine", engine, *FLAGS, "synthetic://320x180@30", "--duration", "60", "--zone", "yard=0,0,1,0,1,1"]
    command = [sys.executable, "-m", "edge_runtime.cli.detect", *words, "--output", "http://127.0.0.1:0"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, encoding="utf-8")
    try:
        said = next(line for line in child.stderr or () if "page: " in line)
        page = SimpleNamespace(url=re.findall(r"http://\S+", said)[0])
        state = ask_json(page, "/state.json")
        assert [stream["source"] for stream in state["streams"]] == ["synthetic://320x180@30"] and not state["can_save"]
        name = state["streams"][0]["name"]
        with watching(page, f"/stream/{name}.mjpeg") as viewer:
            pictures = viewer.makefile("rb").read(20_000)
        assert pictures.count(b"--edge-picture") >= 2
        assert ask_json(page, "/zones")["streams"][name]["zones"][0]["name"] == "yard"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()
    assert "Traceback" not in errors and "results:" not in errors, "the page has ended"
    assert child.returncode in (0, 130)


def test_a_page_for_others_needs_a_token(engine: str, capsys: Any) -> None:
    given = ["--engine", engine, *FLAGS, "demo", "--output"]
    assert detect.main([*given, "http://0.0.0.0:0"]) == 1
    said = capsys.readouterr().err
    assert "needs a token" in said and "hint: http://0.0.0.0:8080?token=env:PAGE_TOKEN, or" in said
    assert detect.main([*given, f"http://0.0.0.0:0?token={TOKEN}"]) == 1
    assert TOKEN not in capsys.readouterr().err
