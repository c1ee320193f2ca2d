"""Configurations that are broken on purpose or by accident: each ends soon, with an error that helps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Dict

import pytest

from edge_runtime.cli import _config, _site, _states, detect
from edge_runtime.errors import UsageError
from edge_runtime.text import secrets
from tests.cli.test_config import PARSER, arguments, load, told

ZONE = "[[zones]]\nname = {}\npixels = [[0, 0], [9, 0], [9, 9]]\n"
HOSTILE: Dict[str, str] = {
    f"conf = 0x{'f' * 5000}": "has a number of 1000 digits or more",
    f"max_frames = {'1' * 100_000}": "has a number of 1000 digits or more",
    f"{'.'.join('a' * 200_000)} = 1": "is nested too deeply",
    f"[{' . '.join(['x'] * 200_000)}]": "is nested too deeply",
    f"{'k' * 100_000} = 1": f"site.toml:1: unknown key {'k' * 80}… /",
    "classes = [" + "'a'," * 10_001 + "]": "site.toml:1: classes: 10001 values are more than 10000",
    "output = [" + "'a.csv'," * 10_001 + "]": "site.toml:1: output: 10001 values are more than 10000",
    "zones = [" + "{}," * 1001 + "]": "site.toml:1: zones are 1001 / at most 1000",
    ZONE.format("''"): "site.toml:2: zones[0].name is '' / expected a text of 1 to 200",
    ZONE.format('"\\u001b[2J"'): "site.toml:2: zones[0].name is '\\x1b[2J' / expected a text",
    ZONE.format(3): "site.toml:2: zones[0].name is 3 / expected a text",
    f"[[stream]]\nsource = 0\nname = '{'n' * 201}'": "site.toml:3: stream[0].name is 'nnn",
    '[[stream]]\nsource = 0\nname = "a\\u0000"': "site.toml:3: stream[0].name is 'a\\x00' / expected a text",
    "[[stream]]\nsource = '@rtsp://u:violet-hinge@camera/x'": "stream[0].source has a password or a token",
    "[[stream]]\nsource = 'env:rtsp://u:violet-hinge@camera/x'": "stream[0].source has a password or a token",
    ZONE.format("'z'") * 2: "site.toml:5: zones[1].name is 'z' / zones[0] has it too",
    "class-conf = { a = 0.5 }\nclass_conf = { b = 0.1 }": "site.toml:2: class_conf is also written class-conf / leave",
    "source = 'demo'\n[[stream]]\nsource = 'demo'": "site.toml:3: stream[0].source is 'demo' / source has it too",
    "\n[[streams]]\nsource = 0": "site.toml:2: unknown key streams / did you mean [[stream]]?",
    "\n[[Stream]]\nsource = 0": "site.toml:2: unknown key Stream / did you mean 'stream'?",
    ZONE.format("'z'").replace("zones", "zone"): "site.toml:1: unknown key zone / did you mean [[zones]]?",
    "[[stream]]\nsource = 0\n[[stream.line]]\nname = 'l'": "site.toml:3: unknown key stream[0].line / did you mean "
    "[[stream.lines]]?",
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_the_error_says_where_and_what(tmp_path: Path, text: str, said: str) -> None:
    found = told(tmp_path, text)
    assert said in found and "violet" not in found and len(found) < 2000


def test_what_may_be_long_is_read_whole(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(1500)]
    assert load(tmp_path, f"classes = {names}").flags["classes"] == names


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    site = load(tmp_path, "engine = '~/m.onnx'\noutput = 'yolo:~/labels/'\nsource = '@~/camera.txt'")
    assert site.flags == {
        "engine": ["/home/ana/m.onnx"], "output": ["yolo:/home/ana/labels/"], "sources": ["@/home/ana/camera.txt"]
    }  # fmt: skip


def test_a_link_to_the_file_does_not_change_its_folder(tmp_path: Path) -> None:
    """A ConfigMap's file is a link into a folder that has another name after each change."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "site.toml").write_text("source = 'clip.mp4'", encoding="utf-8")
    (tmp_path / "site.toml").symlink_to("..data/site.toml")
    assert _config.load(str(tmp_path / "site.toml"), PARSER).flags["sources"] == [f"{tmp_path}/clip.mp4"]


def test_sources_given_twice_are_two_streams(tmp_path: Path) -> None:
    streams = _site.streams(arguments(tmp_path, "engine = 'm.onnx'\nsource = ['demo', 'demo']"))
    assert list(_site.by_key(streams)) == ["demo", "demo (2)"]


ADDRESSES = {
    "mqtt://a@host/x?password=@pw.txt&spool=s p&discovery=":
        "mqtt://a@host/x?password=@{0}/pw.txt&spool={0}/s%20p&discovery=",
    "mqtts://host?ca=/etc/a.pem&cert=c%26.pem&key=~/k.pem": "mqtts://host?ca=/etc/a.pem&cert={0}/c%26.pem&key={1}/k.pem",
    "http://0.0.0.0:80?token=@a/t.txt&name=x": "http://0.0.0.0:80?token=@{0}/a/t.txt&name=x",
    "rtsp://anna@0.0.0.0:80/p?fps=5&password=env:X": "rtsp://anna@0.0.0.0:80/p?fps=5&password=env:X",
}  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_files_in_an_address_are_relative_to_the_file(tmp_path: Path, address: str) -> None:
    (tmp_path / "site.toml").write_text(f"output = '{address}'", encoding="utf-8")
    found = _config.load(str(tmp_path / "site.toml"), PARSER).flags["output"]
    assert found == [ADDRESSES[address].format(tmp_path, Path.home())]


@pytest.mark.parametrize("address", [
    "mqtt://anna@host/x", "mqtt://anna:velvet-9@host/x?password=@pw.txt", "http://0.0.0.0:80?token=velvet-9",
    "mqtt://host?ca=velvet-9&password=velvet-9", "http://0.0.0.0:80?token=@t.txt&api_key=velvet-9",
])  # fmt: skip
def test_what_is_written_out_is_refused(tmp_path: Path, address: str) -> None:
    (tmp_path / "site.toml").write_text(f"output = '{address}'", encoding="utf-8")
    with pytest.raises(UsageError, match="has a password or a token"):
        _config.load(str(tmp_path / "site.toml"), PARSER)


def test_the_user_of_one_address_is_no_secret_in_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read again after its addresses were opened."""
    monkeypatch.setattr(secrets, "_opened", {"quince-17"})
    address = "mqtt://127.0.0.1/quince-17"
    (tmp_path / "site.toml").write_text(f"output = '{address}'", encoding="utf-8")
    assert _config.load(str(tmp_path / "site.toml"), PARSER).flags["output"] == [address]


SOURCES = {
    "env:NOT_THERE_7": "no address in the variable NOT_THERE_7",
    "@none.txt": "none.txt cannot be read",
    "none.mp4": "none.mp4'",
    "none/*.jpg": "none/*.jpg'",
    "foo://x": "no such source: 'foo://x'",
}


@pytest.mark.parametrize("source", SOURCES)
def test_check_names_a_source_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    text = "engine = 'yolo_nano_voc_int8.onnx'\n[[stream]]\nsource = 'demo'\n[[stream]]\nsource = '{}'\n"
    (tmp_path / "site.toml").write_text(text.format(source), encoding="utf-8")
    assert detect.main(["--config", str(tmp_path / "site.toml"), "--check"]) == 1
    assert SOURCES[source] in capsys.readouterr().err


def test_check_opens_no_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = ["99", "rtsp://127.0.0.1:1/x", "csi://0", "gst:videotestsrc", "synthetic://32x32", str(tmp_path)]
    (tmp_path / "site.toml").write_text(f"engine = 'yolo_nano_voc_int8.onnx'\nsource = {sources}\n", encoding="utf-8")
    assert detect.main(["--config", str(tmp_path / "site.toml"), "--check"]) == 0
    assert "no error found" in capsys.readouterr().err


def test_outputs_of_two_streams_that_would_be_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both names become `in` in the name of a file."""
    stream = "[[stream]]\nsource = 'synthetic://32x32@{}'\nname = '{}/in'\noutput = '{{source}}.csv'\n"
    streams = stream.format(5, "gate") + stream.format(6, "yard")
    (tmp_path / "site.toml").write_text(f"engine = 'yolo_nano_voc_int8.onnx'\n{streams}", encoding="utf-8")
    assert detect.main(["--config", str(tmp_path / "site.toml"), "--check"]) == 1
    assert "in.csv are one file" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "\ufeffconf = 0.5\r\n", "# nothing\r\n\r\n"])
def test_marks_and_line_ends_of_other_systems(tmp_path: Path, text: str) -> None:
    (tmp_path / "site.toml").write_bytes(text.encode())
    assert _config.load(str(tmp_path / "site.toml"), PARSER).flags in ({}, {"conf": 0.5})


def test_every_flag_of_a_source_is_a_key_of_a_stream() -> None:
    """A new flag that `_states.options` reads needs its place in `OF_SOURCE`, or a stream cannot say it."""
    usual, asked = PARSER.parse_args(["m.onnx"]), []

    class Asked(argparse.Namespace):
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return getattr(usual, name)

    _states.options(Asked())
    assert set(asked) == set(_config.OF_SOURCE)
