"""edge-detect --check finds what the start would refuse, and opens nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cli import detect
from edge_runtime.imaging import pyav

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
    site.write_text(f"{SITE}{text}\n")
    said = []
    for more in (["--check"], []):
        assert detect.main(["--config", str(site), *more]) == 1
        said.append(capsys.readouterr().err)
        assert WRONG[text] in said[-1] and "hint: " in said[-1]
        if more:
            assert [path.name for path in tmp_path.iterdir()] == ["site.toml"], "nothing was opened"


def test_a_stream_is_named_whose_class_is_not_there(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "site.toml").write_text(f"{SITE}[[stream]]\nsource = 'demo'\nname = 'yard'\nclasses = ['dgo']\n")
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
        site.write_text(f"{SITE}output = '{scheme}://127.0.0.1:{port}'\n")
        assert detect.main(["--config", str(site), "--check"]) == 0
        assert f"127.0.0.1:{port}: Address already in use; if this is a run of" in capsys.readouterr().err
        assert detect.main(["--config", str(site), "--check", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["notes"]) == 1
        assert detect.main(["--config", str(site)]) == 1
    assert detect.main(["--config", str(site), "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []
