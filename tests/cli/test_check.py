"""edge-detect --check finds what the start would refuse, and opens nothing."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any, List

import pytest
from standins import nvpmodel as standin

from edge_runtime.cli import detect
from edge_runtime.errors import BackendUnavailable
from edge_runtime.imaging import pyav
from edge_runtime.jetson import hold
from edge_runtime.jetson.hold import Hold
from edge_runtime.sinks import _avencoder
from edge_runtime.sinks._rtspserver import load_library

SITE = "engine = 'yolo_nano_voc_int8.onnx'\ntune = 'off'\nsource = 'demo'\nmax_frames = 1\n"
WRONG = {
    "record = 'last.mp4'": "last.mp4'",
    "record_s = 10": "settings for a recording, and no file",
    "log = 'run.txt'": "a log is no",
    "log = ''": "a log is no ''",
    "save = ''": "--save names no folder",
    "output = 'none/such/out.csv'": "no folder",
    "output = '{camera}.csv'": "{camera} in",
    "output = 'events:e.jsonl?pictures=maybe'": "pictures is 'maybe'",
    "output = 'http://127.0.0.1:eight'": "no port from 0 to 65535",
    "output = 'http://0.0.0.0:0?token=@none.txt'": "none.txt cannot be read",
    "output = 'prometheus://127.0.0.1?tokn=env:X'": "tokn",
    "output = 'env:ODD_HOOK'": "spool_mb is '0'",
    "output = 'mqtts://127.0.0.1/x?ca=none.pem'": "its certificates cannot be used",
    "track = true\noutput = 'mqtt://127.0.0.1/a?password=@none.txt'": "none.txt cannot be read",
    "classes = ['dog', 'dgo']": "dgo",
    "[[stream]]\nsource = 'demo'\nname = 'b'\nclass_conf = { persn = 0.5 }": "persn",
    "ca_file = 'none.pem'\n[[stream]]\nsource = 'rtsps://127.0.0.1:1/x'": "no certificates in",
    "power_modes = '15W'": "nothing to choose by",
}


def needs(text: str) -> None:
    for word, library in (("'http:", "h11"), ("prometheus:", "prometheus_client"), ("'mqtt", "paho.mqtt")):
        if word in text:
            pytest.importorskip(library)
    if "ca_file" in text and pyav.reason() is not None:
        pytest.skip("PyAV checks certificates")


@pytest.mark.parametrize("text", WRONG)
def test_what_the_start_refuses_is_found_before(text: str, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    needs(text)
    monkeypatch.setenv("ODD_HOOK", "webhook+http://127.0.0.1/x#spool_mb=0")
    site = tmp_path / "site.toml"
    site.write_text(f"{SITE}{text}\n", encoding="utf-8")
    said = []
    for more in (["--check"], []):
        assert detect.main(["--config", str(site), *more]) == 1
        said.append(capsys.readouterr().err)
        assert WRONG[text] in said[-1] and "hint: " in said[-1]
        if more:
            assert [path.name for path in tmp_path.iterdir()] == ["site.toml"], "nothing was opened"


def test_a_stream_is_named_whose_class_is_not_there(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "site.toml").write_text(
        f"{SITE}[[stream]]\nsource = 'demo'\nname = 'yard'\nclasses = ['dgo']\n", encoding="utf-8"
    )
    assert detect.main(["--config", str(tmp_path / "site.toml"), "--check"]) == 1
    assert "error: stream yard: " in capsys.readouterr().err


def test_typed_flags_are_checked_too(capsys: Any) -> None:
    words = ["yolo_nano_voc_int8.onnx", "demo", "--classes", "dog", "--check"]
    assert detect.main(words) == 0
    assert detect.main([*words, "--log", ""]) == 1
    assert "a log is no ''" in capsys.readouterr().err
    assert detect.main([*words, "--class-conf", "unicorn=0.3"]) == 1
    assert "unicorn" in capsys.readouterr().err


@pytest.mark.parametrize(("scheme", "library"), [("http", "h11"), ("prometheus", "prometheus_client")])
def test_a_port_that_is_taken_is_said(scheme: str, library: str, tmp_path: Path, capsys: Any) -> None:
    """It is no error: the run that is to read the configuration again has it."""
    pytest.importorskip(library)
    site = tmp_path / "site.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.write_text(f"{SITE}output = '{scheme}://127.0.0.1:{port}'\n", encoding="utf-8")
        assert detect.main(["--config", str(site), "--check"]) == 0
        assert f"127.0.0.1:{port}: Address already in use; if this is a run of" in capsys.readouterr().err
        assert detect.main(["--config", str(site), "--check", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["notes"]) == 1
        assert detect.main(["--config", str(site)]) == 1
    assert detect.main(["--config", str(site), "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []


def test_a_file_in_an_address_is_relative_to_what_names_it(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """The folder of the process for what is typed or in a variable; that of the configuration; that of `@FILE`."""
    pytest.importorskip("h11")
    page, token = "http://127.0.0.1:0?token=@token.txt", "0123456789abcdef"
    site = tmp_path / "site" / "site.toml"
    for name in ("run", "site/kept"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "site/kept/page.txt").write_text(page, encoding="utf-8")
    monkeypatch.setenv("PAGE", page)
    monkeypatch.chdir(tmp_path / "run")
    for words, output, folder in (
        (["--output", page], "window", "run"), ([], "env:PAGE", "run"), ([], page, "site"),
        ([], "@kept/page.txt", "site/kept"), (["--output", "@../site/kept/page.txt"], "window", "site/kept"),
    ):  # fmt: skip
        site.write_text(f"{SITE}output = '{output}'\n", encoding="utf-8")
        assert detect.main(["--config", str(site), *words, "--check"]) == 1
        assert "token.txt cannot be read: No such file" in capsys.readouterr().err
        (tmp_path / folder / "token.txt").write_text(token, encoding="utf-8")
        assert detect.main(["--config", str(site), *words, "--check"]) == 0, output
        (tmp_path / folder / "token.txt").unlink()


POWER = {
    "power_mode = '17W'": "no power mode '17W' on this board",
    "power_modes = '15W,17W'\ntarget_fps = 5": "no power mode '17W' on this board",
    "power_mode = '10W'": "MODE_10W needs a reboot",
    "jetson_clocks = true": "--jetson-clocks goes with a power mode",
    "meter = 'ina238'": "no meter ina238 here: no ina238 sensor",
    "meter = 'rapl'": "no meter rapl here: no RAPL counters",
    "meter = 'nvml'": "no meter nvml here: NVML knows this machine alone",
    "meter = 'tegrastats'": "no meter tegrastats here: no tegrastats",
    "meter = 'replay:none.csv'": "none.csv' cannot be read",
    "meter = 'multimeter'": "no 'multimeter' in power/",
}


def refusals(site: Path, root: Path, capsys: Any) -> List[str]:
    """What `--check` and the start say. Before the start, nothing of the board was asked and nothing written."""
    before = sorted(site.parent.iterdir()), sorted(root.rglob("*"))
    said = []
    for more in (["--check"], []):
        assert detect.main(["--config", str(site), "--sysroot", str(root), *more]) == 1
        said.append(capsys.readouterr().err.partition("error: ")[2])
        if more:
            assert (sorted(site.parent.iterdir()), sorted(root.rglob("*"))) == before, "nothing was written"
            assert not (root / "usr/sbin/nvpmodel").exists() or standin.calls(root) == []
    return said


@pytest.mark.parametrize("text", POWER)
def test_modes_and_meters_are_refused_as_the_start_refuses_them(
    text: str, switching_board: Path, tmp_path: Path, capsys: Any
) -> None:
    site = tmp_path / "site" / "site.toml"
    site.parent.mkdir()
    site.write_text(f"{SITE}{text}\n", encoding="utf-8")
    checked, started = refusals(site, switching_board, capsys)
    assert POWER[text] in checked and checked == started


def test_a_board_without_its_program_or_sensors(switching_board: Path, tmp_path: Path, capsys: Any) -> None:
    (switching_board / "usr/sbin/nvpmodel").unlink()
    empty, folder = tmp_path / "empty", tmp_path / "site"
    empty.mkdir()
    folder.mkdir()
    for root, text, fact in (
        (switching_board, "power_mode = '15W'", "no nvpmodel here"),
        (empty, "power_mode = '15W'", "no nvpmodel here, so no power modes"),
        (empty, "budget = '9W'", "a budget, but watts are not measured here: no power sensor here"),
    ):
        (folder / "site.toml").write_text(f"{SITE}{text}\n", encoding="utf-8")
        checked, started = refusals(folder / "site.toml", root, capsys)
        assert fact in checked and checked == started


def test_a_mode_that_is_there_is_not_set(switching_board: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "site.toml").write_text(f"{SITE}power_modes = '15W,30W'\nbudget = '9W'\n", encoding="utf-8")
    words = ["--config", str(tmp_path / "site.toml"), "--sysroot", str(switching_board), "--check", "--json"]
    assert detect.main(words) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [] and standin.calls(switching_board) == []
    with Hold(switching_board, owner=os.getppid(), settle_s=0) as other:
        other.set("15W")
        calls = standin.calls(switching_board)
        assert detect.main(words) == 0
        assert json.loads(capsys.readouterr().out)["notes"] == [f"process {os.getppid()} holds MODE_15W"]
        assert standin.calls(switching_board) == calls
        assert detect.main(words[:4]) == 1, "the start refuses it, in the same words"
        assert f"error: process {os.getppid()} holds MODE_15W" in capsys.readouterr().err
    assert hold.mode_held(switching_board) is None


ENCODERS = {
    "output = 'a.mp4'\nvideo_codec = 'h264_nvenc'": "no encoder works here of: h264_nvenc",
    "output = '{source}.mkv'\nvideo_codec = 'h264_nvenc'": "no encoder works here of: h264_nvenc",
    "output = 'a.mp4'\nvideo_options = 'nosuch=1'": "has no option 'nosuch'",
    "output = 'a.avi'\nvideo_bitrate = '2M'": "has JPEG pictures, so bitrate has no meaning",
    "output = 'rtsp://127.0.0.1?encoder=nvv4l2h264enc'": "no H.264 encoder of GStreamer works here (nvv4l2h264enc",
    "show = true": "no display to open a window on",
}


@pytest.mark.parametrize("text", ENCODERS)
def test_what_an_output_needs_and_this_machine_lacks(text: str, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    if "rtsp" in text:
        try:
            load_library()
        except BackendUnavailable as error:
            pytest.skip(str(error))
    elif "output" in text and pyav.reason() is not None:
        pytest.skip("PyAV encodes")
    if "nvenc" in text and _avencoder.works("h264_nvenc"):
        pytest.skip("this machine has that encoder")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "site.toml").write_text(f"{SITE}{text}\n", encoding="utf-8")
    checked, started = refusals(folder / "site.toml", tmp_path, capsys)
    assert ENCODERS[text] in checked and checked == started
