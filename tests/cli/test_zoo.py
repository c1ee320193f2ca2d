"""edge-zoo as a user runs it: a list, one fetch from a server on this machine, and what --engine then finds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from edge_runtime.cli import detect, zoo
from edge_runtime.downloads import listed
from tests.downloads.served import sent, serving
from tests.tiny import boxes_v8, write_onnx

NAME = "tiny_zoo"


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A detector that edge-zoo alone has, as bytes; the user has an empty data folder and stands in an empty folder."""
    write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    content = (tmp_path / "m.onnx").read_bytes()
    text = (listed.ENTRIES / "yolox_nano.toml").read_text(encoding="utf-8")
    for old, new in (
        (r'sha256 = "\w+"', f'sha256 = "{hashlib.sha256(content).hexdigest()}"'),
        (r"size_bytes = \d+", f"size_bytes = {len(content)}"),
        ('"yolox"', '"yolo_v8"'),
        ('"coco"', '["a", "b", "c"]'),
        ("416", "64"),
    ):
        text = re.sub(old, new, text)
    (tmp_path / "entries").mkdir()
    (tmp_path / "entries" / f"{NAME}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(listed, "ENTRIES", tmp_path / "entries")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "here")
    return content


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "data" / "edge-runtime" / "models"


def run(capsys: Any, *words: str) -> Tuple[int, str, str]:
    code = zoo.main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("words", [(), ("list",)])
def test_the_list(words: Tuple[str, ...], capsys: Any) -> None:
    code, out, _ = run(capsys, *words)
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    assert code == 0 and set(listed.names()) < rows.keys()
    assert re.search(r"^yolox_nano +416x416 +coco +0\.317 +0\.468 +3\.7 +Apache-2\.0 ", out, re.M)
    assert re.search(r"^ultraface_rfb_320 +320x240 +face +n/a +n/a +1\.3 +MIT ", out, re.M)
    assert "AP is coco_101 over 187 images of COCO val2017, conf 0.001, NMS 0.6, 100 boxes (tools/accuracy.py)" in out
    assert "AP n/a, no labelled faces were at hand: ultraface_rfb_320" in out


def test_the_list_fits_a_small_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_runtime", "zoo", "list"], env={**os.environ, "COLUMNS": "80"},
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert all(name in done.stdout for name in listed.names()) and "…" not in done.stdout


def test_the_list_as_json(capsys: Any, content: bytes, models: Path) -> None:
    (about,) = json.loads(run(capsys, "list", "--json")[1])
    assert about["name"] == NAME and about["here"] is None and about["input_wh"] == [64, 64]
    assert about["sha256"] == hashlib.sha256(content).hexdigest() and about["size_bytes"] == len(content)
    assert about["licence"] == about["project_licence"] == "Apache-2.0" and about["measured"]["coco_101"] > 0
    assert all(address.startswith("https://") for address in about["addresses"])
    models.mkdir(parents=True)
    (models / f"{NAME}.onnx").write_bytes(content[:-1] + b"?")
    assert json.loads(run(capsys, "list", "--json")[1])[0]["here"] is None, "another file of this name"
    (models / f"{NAME}.onnx").write_bytes(content)
    assert json.loads(run(capsys, "--json")[1])[0]["here"] == str(models / f"{NAME}.onnx")


def test_get_then_detect(capsys: Any, content: bytes, models: Path) -> None:
    assert detect.main(["--engine", NAME, "synthetic://64x48?frames=1"]) == 1
    assert capsys.readouterr().err.endswith(f"hint: edge-zoo get {NAME}\n")
    with serving(n=sent(content)) as server:
        code, out, err = run(capsys, "get", NAME, "--address", server.address("/n"))
        again = run(capsys, "get", NAME, "--address", server.address("/n"))
        assert len(server.asked) == 1
    first, about, last = out.splitlines()
    assert code == 0 and not err and first.startswith(f"{models}/{NAME}.onnx: fetched from {server.address('/n')}")
    assert "Apache-2.0" in about and last == f"edge-detect --engine {NAME} street.mp4 --output found.mp4"
    assert again[0] == 0 and f"{NAME}.onnx: was here already, its SHA-256 is right" in again[1]
    assert sorted(os.listdir(models)) == [f"{NAME}.onnx", f"{NAME}.toml"] and os.listdir() == []
    for engine in (NAME, f"{NAME}.onnx"):
        words = [engine, "synthetic://64x48?frames=1", "--json", "--threads", "1"]
        assert detect.main(words) == 0
        said = capsys.readouterr()
        assert json.loads(said.out)["detections"] == {"b": 1}
        assert f"note: by its SHA-256 this is {NAME} of edge-zoo" in said.err


def test_the_recipe_beside_it_is_one(capsys: Any, content: bytes, models: Path) -> None:
    """For other versions of the same network: it names origin and licence, and `--recipe` takes it."""
    with serving(n=sent(content)) as server:
        run(capsys, "get", NAME, "--address", server.address("/n"))
    recipe = models / f"{NAME}.toml"
    assert recipe.read_bytes() == (listed.ENTRIES / f"{NAME}.toml").read_bytes()
    write_onnx(Path("other.onnx"), {"output0": boxes_v8((32, 32, 16, 8, 0.8, 2))})
    words = ["other.onnx", "synthetic://64x48?frames=1", "--json", "--threads", "1", "--recipe", str(recipe)]
    assert detect.main(words) == 0
    assert json.loads(capsys.readouterr().out)["detections"] == {"c": 1}


@pytest.mark.parametrize(
    ("output", "made"),
    [
        ("there", "there/tiny_zoo.onnx"),
        ("there/", "there/tiny_zoo.onnx"),
        ("mine.onnx", "mine.onnx"),
        (".", "tiny_zoo.onnx"),
    ],
)
def test_another_place(capsys: Any, content: bytes, models: Path, output: str, made: str) -> None:
    Path("there").mkdir()
    with serving(n=sent(content)) as server:
        code, out, _ = run(capsys, "get", NAME, "-o", output, "--address", server.address("/n"), "--json")
    about = json.loads(out)
    assert code == 0 and about["path"] == made and about["fetched_from"] == server.address("/n")
    assert Path(made).read_bytes() == content and Path(made).with_suffix(".toml").is_file() and not models.exists()
    assert about["here"] == ("tiny_zoo.onnx" if output == "." else None), "only there it is found by name"


BAD: List[Tuple[Dict[str, str], List[str], str]] = [  # files that are there, words, what is said
    ({}, ["-o", "model"], "hint: -o model.onnx, or mkdir -p model"),
    ({}, ["-o", "no/where.onnx"], "hint: mkdir -p no"),
    ({}, ["-o", "no/"], "hint: mkdir -p no"),
    ({"tiny_zoo.onnx": "my own"}, ["-o", "."], "is not the file of tiny_zoo: its SHA-256 is "),
    ({"tiny_zoo.toml": "my own"}, ["-o", "."], "tiny_zoo.toml, which no earlier run has made"),
    ({}, ["--address", "http://example.com/n"], "http://example.com/n is no https address"),
    ({}, ["--timeout", "1", "--address", "https://user:secret99@127.0.0.1:9/n"], "could not be fetched from"),
]


@pytest.mark.parametrize(("files", "words", "said"), BAD, ids=lambda value: str(value)[-40:])
def test_what_is_refused(capsys: Any, content: bytes, files: Dict[str, str], words: List[str], said: str) -> None:
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    code, out, err = run(capsys, "get", NAME, *words)
    fact, hint = err.splitlines()
    assert code == 1 and not out and said in err and fact.startswith("error: ") and hint.startswith("hint: "), err
    assert "secret99" not in err
    assert {name: Path(name).read_text(encoding="utf-8") for name in os.listdir()} == files


def test_without_a_network_it_says_what_to_do_and_then_takes_the_file(
    capsys: Any, content: bytes, models: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/n"
        code, out, err = run(capsys, "get", NAME, "--address", address)
    assert code == 1 and not out and "Connection refused" in err
    found = re.search(r"^hint: fetch (\S+) on another machine and put it at (\S+); then", err, re.M)
    assert found and found[1] == address and Path(found[2]) == models / f"{NAME}.onnx"
    Path(found[2]).write_bytes(content[:-1])
    code, _, err = run(capsys, "get", NAME)
    assert code == 1 and "is not the file of" in err and "move it away" in err
    Path(found[2]).write_bytes(content)
    code, out, err = run(capsys, "get", NAME)
    assert code == 0 and "was here already, its SHA-256 is right" in out and (models / f"{NAME}.toml").is_file()


def test_it_goes_on_after_a_cut(capsys: Any, content: bytes, models: Path) -> None:
    half = len(content) // 2

    with serving(n=lambda handler: handler.reply(200, content[:half], len(content)), m=sent(content)) as server:
        code, _, err = run(capsys, "get", NAME, "--address", server.address("/n"))
        assert code == 1 and "hint: the same command goes on where it stopped. Or fetch " in err
        assert run(capsys, "get", NAME, "--address", server.address("/m"))[0] == 0
        assert server.asked[-1] == ("/m", f"bytes={half}-")
    assert sorted(os.listdir(models)) == [f"{NAME}.onnx", f"{NAME}.toml"]


@pytest.mark.parametrize(
    ("name", "file", "wanted"),
    [
        ("yolox_nano", "yolox/yolox_nano.onnx", {"bus.jpg": {"bus", "person"}, "dog.jpg": {"dog", "car", "bicycle"}}),
        ("nanodet_m", "nanodet/nanodet_m_416.onnx", {"bus.jpg": {"bus", "person"}, "dog.jpg": {"dog", "car"}}),
        ("fastestdet", "fastestdet/FastestDet.onnx", {"bus.jpg": {"bus", "person"}, "dog.jpg": {"dog", "car"}}),
        ("ultraface_rfb_320", "ultraface/version-RFB-320.onnx", {"bus.jpg": {"face"}, "zidane.jpg": {"face"}}),
    ],
)
def test_the_real_ones_see_people_and_cars(
    name: str,
    file: str,
    wanted: Dict[str, Any],
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    with serving(n=sent((shared / "models" / file).read_bytes())) as server:
        assert run(capsys, "get", name, "--address", server.address("/n"))[0] == 0
    pictures = [str(shared / "images" / picture) for picture in wanted]
    assert detect.main([name, *pictures, "--conf", "0.5", "--threads", "1", "--output", "o.jsonl"]) == 0
    found = {}
    for line in Path("o.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[Path(row["source"]).name] = {box["label"] for box in row["detections"]}
    assert all(wanted[picture] <= found[picture] for picture in wanted), found
