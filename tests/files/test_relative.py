"""Relative names: each is relative to the folder of what it is written in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.files import given, relative

HOME = str(Path.home())
OPTIONS = {
    "mqtt://a@h/x?password=@pw.txt&spool=s p&discovery=": "mqtt://a@h/x?password=@/in/pw.txt&spool=/in/s%20p&discovery=",
    "mqtts://h?ca=/etc/a.pem&cert=c%26.pem&key=~/k.pem": f"mqtts://h?ca=/etc/a.pem&cert=/in/c%26.pem&key={HOME}/k.pem",
    "http://0.0.0.0:80?token=@t.txt": "http://0.0.0.0:80?token=@/in/t.txt",
    "http://0.0.0.0:80?token=env:T": "http://0.0.0.0:80?token=env:T",
    "webhook+https://h/x#secret=@s.txt&authorization=@a.txt&ca=c.pem&kinds=new":
        "webhook+https://h/x#secret=@/in/s.txt&authorization=@/in/a.txt&ca=/in/c.pem&kinds=new",
    "webhook+https://h/x?key=abc&ca=b&password=@c#spool=s": "webhook+https://h/x?key=abc&ca=b&password=@c#spool=/in/s",
    "Webhook+HTTP://h?key=abc": "Webhook+HTTP://h?key=abc",
    "rtsp://h/ca=x": "rtsp://h/ca=x",
    "clips:c?spool=x": "clips:c?spool=x",
}  # fmt: skip
NAMES = {
    "clip.mp4": "/in/clip.mp4", "a/*.jpg": "/in/a/*.jpg", "/abs.csv": "/abs.csv", "~/x": f"{HOME}/x",
    "out/": "/in/out/", "yolo:labels/": "yolo:/in/labels/", "@cam.txt": "@/in/cam.txt", "file://a.mp4": "file:///in/a.mp4",
    "0": "0", "demo": "demo", "-": "-", "window": "window", "env:CAM": "env:CAM", "gst:x ! y": "gst:x ! y",
    "rtsp://h/x?ca=b": "rtsp://h/x?ca=b", "events:-": "events:-", "": "",
    "events:-?pictures=no": "events:-?pictures=no", "EVENTS:-?pictures=yes": "EVENTS:-?pictures=yes",
    "events:-x?pictures=no": "events:/in/-x?pictures=no", "events:-?": "events:/in/-?", "events:": "events:", "@": "@",
    "events:demo": "events:/in/demo", "clips:-?days=7": "clips:/in/-?days=7", "yolo:demo": "yolo:/in/demo",
    "coco:0": "coco:/in/0", "@window": "@/in/window", "file://demo": "file:///in/demo", "replay:-": "replay:/in/-",
}  # fmt: skip


@pytest.mark.parametrize("address", OPTIONS)
def test_files_in_options(address: str) -> None:
    assert relative.options_located(address, "/in") == OPTIONS[address]


@pytest.mark.parametrize("text", NAMES)
def test_names(text: str) -> None:
    assert relative.located(text, "/in") == NAMES[text]


def test_an_address_is_relative_to_its_file_or_to_the_process(tmp_path: Path, monkeypatch: Any) -> None:
    written = "mqtt://a@h?password=@pw.txt&ca=ca.pem"
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "address.txt").write_text(f"{written}\nmore\n", encoding="utf-8")
    monkeypatch.setenv("ADDRESS", written)
    monkeypatch.chdir(tmp_path)
    for at in ("kept", f"{tmp_path}/kept"):
        expected = f"mqtt://a@h?password=@{at}/pw.txt&ca={at}/ca.pem"
        assert given.address(f"@{at}/address.txt", options=True) == expected
        assert given.address(f"@{at}/address.txt") == written, "the query of a camera is the camera's"
    assert given.address("env:ADDRESS", options=True) == written
    assert given.address(written, options=True) == written
    monkeypatch.setenv("CLIP", "clip.mp4")
    (tmp_path / "kept" / "clip.txt").write_text("clip.mp4", encoding="utf-8")
    assert (given.address("env:CLIP"), given.address("@kept/clip.txt")) == ("clip.mp4", "kept/clip.mp4")


def test_a_secret_is_no_name_of_a_file(tmp_path: Path, monkeypatch: Any) -> None:
    """What a variable or a file holds as a secret is the secret, whatever it looks like."""
    (tmp_path / "pw.txt").write_text("@other.txt", encoding="utf-8")
    monkeypatch.setenv("PW", "@other.txt")
    assert given.resolve(f"@{tmp_path}/pw.txt") == given.resolve("env:PW") == "@other.txt"
