"""No command writes over what it reads: every flag that writes, every way of naming an input with it."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import cv2
import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.cli import _files, detect

COMMANDS = ("detect", "calibrate", "build", "eval", "bench", "doctor", "power", "identify", "audit", "zoo", "plan")
# Flags of words and numbers that name no file.
WORDS = set(
    "camera split verdict_split layout keep_fp legacy_version power_mode power_modes compute_capability mode name"
    " address".split()
)
READS = {*_files.READS}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of everything that a command reads."""
    monkeypatch.chdir(tmp_path)
    write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    (tmp_path / "photos").mkdir()
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.jpg"), picture)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "clip.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "album").symlink_to("photos")
    return tmp_path


FILES = {
    "recipe.toml": 'family = "yolo_v8"\n', "names.txt": "a\nb\nc\n", "trace.csv": "time_s,VDD_IN_w\n0,5\n1,5\n",
    "trace.jsonl": '{"time_s": 0, "rails_w": {"VDD_IN": 5}}\n', "a.json": '{"format": 1, "command": "", "rows": []}',
    "b.json": '{"format": 1, "command": "", "rows": []}', "board.json": '{"files": {}, "links": {}}',
    "data/labels/0.txt": "0 .5 .5 .1 .1\n", "data/data.yaml": "names: [a, b, c]\n", "proof.json": "{}",
    "weights.npz": "", "clip.csv": "", "clip.jsonl": "", "clip.coco.json": "{}",
}  # fmt: skip


def linked(path: str) -> str:
    os.symlink(path, f"link-{os.path.basename(path)}")
    return f"link-{os.path.basename(path)}"


def hard_linked(path: str) -> str:
    os.link(path, f"hard-{os.path.basename(path)}")
    return f"hard-{os.path.basename(path)}"


SPELLINGS: Dict[str, Callable[[str], str]] = {
    "same": lambda path: path,
    "dot": lambda path: f"./{path}",
    "absolute": os.path.abspath,
    "roundabout": lambda path: f"photos/../{path}",
    "folder link": lambda path: f"link/{path}",
    "link": linked,
    "hard link": hard_linked,
}
DETECT = ["detect", "--engine", "m.onnx", "--recipe", "recipe.toml", "--labels", "names.txt"]
CALIBRATE = ["calibrate", "m.onnx", "--recipe", "recipe.toml", "--labels", "names.txt", "--images", "photos"]
OTHER = [*CALIBRATE, "-o", "int8.onnx"]
BUILD = ["build", "m.onnx", "--recipe", "recipe.toml", "--labels", "names.txt"]
IDENTIFY = ["identify", "m.onnx", "--recipe", "recipe.toml", "--labels", "names.txt", "--images", "photos"]
AUDIT = ["audit", "m.onnx", "clip.jsonl", "--recipe", "recipe.toml", "--labels", "names.txt", "--images", "photos"]
BENCH = ["bench", "--engine", "m.onnx", "--recipe", "recipe.toml", "--meter", "replay:trace.csv"]
# (what is said before, the flag that writes, the input that it is to destroy)
FILE_CASES: Tuple[Tuple[List[str], str, str], ...] = (
    ([*DETECT, "--source", "clip.mp4"], "--output", "clip.mp4"),
    ([*DETECT, "--video", "clip.mp4", "--meter", "replay:trace.csv"], "--log", "trace.csv"),
    ([*DETECT, "--images", "photos", "--meter", "replay:trace.jsonl"], "--output", "trace.jsonl"),
    ([*DETECT, "--source", "gst:filesrc location=clip.mp4 ! decodebin"], "--output", "clip.mp4"),
    ([*DETECT, "--source", "gst+file://clip.mp4"], "--output", "clip.mp4"),
    ([*DETECT[:-1], "clip.csv", "--source", "demo"], "--output", "clip.csv"),
    ([*DETECT[:-1], "clip.csv", "--source", "demo"], "--log", "clip.csv"),
    ([*DETECT, "--source", "demo", "--sysroot", "board.json"], "--output", "coco:board.json"),
    (CALIBRATE, "-o", "m.onnx"),
    (CALIBRATE, "--output", "recipe.toml"),
    (OTHER, "--ranges", "m.onnx"),
    (OTHER, "--tensorrt-form", "m.onnx"),
    (OTHER, "--legacy-cache", "names.txt"),
    (OTHER, "--manifest", "recipe.toml"),
    (OTHER, "--report", "names.txt"),
    (OTHER, "--tensorrt-form", "photos/1.jpg"),
    (BUILD, "-o", "m.onnx"),
    (BUILD, "--output", "recipe.toml"),
    ([*BUILD, "-o", "new.plan"], "--timing-cache", "names.txt"),
    ([*BUILD, "--calib", "photos", "-o", "new.plan"], "--timing-cache", "m.onnx"),
    ([*BENCH, "--sysroot", "board.json"], "-o", "board.json"),
    (BENCH, "--output", "trace.csv"),
    (["bench", "merge", "a.json", "b.json"], "-o", "a.json"),
    (["bench", "merge", "a.json", "b.json"], "--output", "b.json"),
    (IDENTIFY, "-o", "m.onnx"),
    (IDENTIFY, "--output", "recipe.toml"),
    (IDENTIFY, "--report", "names.txt"),
    (IDENTIFY, "--report", "photos/1.jpg"),
    (AUDIT, "--report", "m.onnx"),
    (AUDIT, "--report", "clip.jsonl"),
    (AUDIT, "--report", "photos/1.jpg"),
    ([*AUDIT[:3], *AUDIT[5:], "--recipe-a", "recipe.toml"], "--report", "recipe.toml"),
    ([*AUDIT[:3], *AUDIT[5:], "--recipe-b", "recipe.toml"], "--report", "recipe.toml"),
    (["doctor", "--sysroot", "board.json"], "--record", "board.json"),
    (["doctor", "--prove", "--sysroot", "board.json"], "-o", "board.json"),
)
FOLDER_CASES = (
    [*DETECT, "--images", "photos", "--save", "photos"], [*DETECT, "--images", "photos", "--save", "photos/."],
    [*DETECT, "--images", "photos/", "--save", "./photos"], [*DETECT, "--images", "photos", "--save", "album"],
    [*DETECT, "--images", "album", "--save", "photos"], [*DETECT, "--images", "photos", "--output", "photos/"],
    [*DETECT, "--images", "photos", "--output", "link/photos/"], [*DETECT, "--images", "photos", "--save", "."],
    [*DETECT, "--images", "photos/*.jpg", "--save", "photos"],
    [*DETECT, "--source", "photos/1.jpg", "--save", "photos"],
    [*DETECT, "--images", "photos", "--save", "photos/../photos//"], [*DETECT, "--images", "photos", "--save", "link"],
    [*DETECT, "--source", "demo", "--images", "photos", "--save", "photos"],
    [*DETECT, "--source", "clip.mp4", "--output", "{source}.mp4"],
    [*DETECT, "--source", "clip.mp4", "--output", "link/{source}.mp4"],
    ["eval", "--engine", "m.onnx", "--data", "data", "--report", "shelf"],
    ["calibrate", "m.onnx", "--from-source", "frames_images/clip.mp4", "-o", "frames.onnx"],
)  # fmt: skip
TWICE = (
    [*DETECT, "--source", "demo", "--output", "x.jsonl", "--output", "./x.jsonl"],
    [*DETECT, "--source", "demo", "--output", "x.csv", "--log", "link/x.csv"],
    [*DETECT, "--source", "demo", "--save", "out", "--output", "out/"],
    [*OTHER, "--ranges", "int8.onnx"], [*OTHER, "--tensorrt-form", "int8.onnx"], [*OTHER, "--report", "r.json"],
    [*OTHER, "--ranges", "x", "--manifest", "link/x"], [*OTHER, "--legacy-cache", "int8.partial.npz"],
    [*BENCH, "-o", "x.json", "-o", "./x.json"], ["bench", "merge", "a.json", "-o", "x.csv", "-o", "link/x.csv"],
    [*IDENTIFY, "-o", "x.toml", "--report", "link/x.toml"],
    [*BUILD, "-o", "x.plan", "--timing-cache", "x.plan.json"],
    [*OTHER, "--manifest", "photos"], [*OTHER, "--ranges", "photos/"], [*BUILD, "-o", "photos"],
)  # fmt: skip


def refused(place: Path, words: List[str], capsys: pytest.CaptureFixture) -> None:
    """The command ends with a fact and a hint, and nothing in the folder has changed."""
    before = contents(place)
    module = importlib.import_module(f"edge_runtime.cli.{words[0]}")
    assert module.main(words[1:]) in (1, 2), "it ran"
    err = capsys.readouterr().err
    assert err.splitlines()[-2].startswith("error: ") and err.splitlines()[-1].startswith("hint: "), err
    assert any(part in err for part in ("is both", "lies where", "are one file", "is a folder")), err
    assert contents(place) == before


def test_a_flag_that_names_one_file_twice_is_named_once(place, capsys):
    assert detect.main([*DETECT[1:], "--source", "demo", "--output", "x.csv", "--output", "./x.csv"]) == 1
    assert "--output names it twice" in capsys.readouterr().err


def contents(place: Path) -> Dict[str, str]:
    found: Dict[str, str] = {}
    for folder, folders, files in os.walk(place):
        found.update({os.path.join(folder, name): "" for name in folders})
        for name in files:
            path = os.path.join(folder, name)
            found[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest() if os.path.exists(path) else "nowhere"
    return found


def file_cases() -> Iterator[Tuple[List[str], str]]:
    for words, flag, target in FILE_CASES:
        for spelling in SPELLINGS:
            yield [*words, flag, target], spelling


@pytest.mark.parametrize(("words", "spelling"), file_cases(), ids=lambda value: str(value)[-60:])
def test_an_input_is_never_an_output(place, capsys, words, spelling):
    scheme, _, target = words[-1].rpartition(":")
    refused(place, [*words[:-1], f"{scheme}:" * bool(scheme) + SPELLINGS[spelling](target)], capsys)


@pytest.mark.parametrize("words", [*FOLDER_CASES, *TWICE], ids=lambda words: " ".join(words)[-60:])
def test_no_result_lies_over_an_input_or_another_result(place, capsys, words):
    (place / "shelf").mkdir()
    (place / "shelf/index.html").symlink_to(place / "data/data.yaml")
    (place / "frames_images").mkdir()
    (place / "frames_images/clip.mp4").write_bytes(b"no video")
    refused(place, list(words), capsys)


def test_pictures_may_be_saved_beside_the_model(place):
    before = contents(place)
    assert detect.main([*DETECT[1:], "--source", "demo", "--max-frames", "1", "--threads", "1", "--save", "."]) == 0
    made = contents(place)
    assert {path: made[path] for path in before} == before and len(made) == len(before) + 1


def test_links_in_a_folder_of_results_lead_to_no_input(place, capsys):
    (place / "out").mkdir()
    os.link("photos/1.jpg", "out/1.jpg")
    refused(place, [*DETECT, "--images", "photos", "--save", "out"], capsys)


def test_weights_beside_the_model_are_inputs(place, capsys):
    import onnx

    model = onnx.load("m.onnx")
    onnx.save(model, "big.onnx", save_as_external_data=True, location="big.bin", size_threshold=0)
    refused(place, ["calibrate", "big.onnx", "--images", "photos", "-o", "x.onnx", "--ranges", "big.bin"], capsys)


@pytest.mark.parametrize("words", [
    [*DETECT, "--images", "photos", "--save", "photos/drawn"], [*DETECT, "--images", "photos", "--save", "drawn"],
    [*DETECT, "--images", "photos", "--output", "photos/x.jsonl"], [*DETECT, "--images", "photos", "--output", "-"],
], ids=lambda words: words[-1])  # fmt: skip
def test_results_may_lie_beside_what_is_read(place, words):
    before = {path: text for path, text in contents(place).items() if "jpg" in path}
    module = importlib.import_module("edge_runtime.cli.detect")
    for _ in range(2):  # a second run replaces the results of the first
        assert module.main([*words[1:], "--threads", "1"]) == 0
    assert {path: text for path, text in contents(place).items() if path in before} == before


def parsers(module: object) -> Iterator[argparse.ArgumentParser]:
    """A command's parsers, those of its subcommands too."""
    found = [module._parser()]
    while found:
        parser = found.pop()
        yield parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += action.choices.values()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_that_may_name_a_file_is_declared(command):
    """A new flag that writes has to be declared in WRITES, one that reads in `_files.READS`."""
    module = importlib.import_module(f"edge_runtime.cli.{command}")
    holders = {"doctor": "_prove", "detect": "_written"}
    holder = importlib.import_module(f"edge_runtime.cli.{holders.get(command, command)}")
    declared = {*getattr(holder, "WRITES", {}), *READS, *getattr(holder, "READS", {}), *WORDS, "output"}
    for parser in parsers(module):
        for action in parser._actions:
            names_a_file = action.nargs != 0 and action.choices is None and action.type in (None, str, Path)
            assert not names_a_file or action.dest in declared, f"is {action.option_strings} read, written or a word?"
    assert not {*getattr(holder, "WRITES", {})} & READS - {"from_source", "calib", "prove"}


DERIVED = (
    ([*OTHER, "--report", "results.html"], "results.json"),
    ([*BUILD, "-o", "x.plan"], "x.plan.json"),
    (["eval", "--engine", "m.onnx", "--data", "data", "--report", "site"], "site/index.html"),
    (["doctor", "--sysroot", "board.json", "--record", "notes.json"], "notes.json"),
)


@pytest.mark.parametrize(("words", "name"), DERIVED, ids=lambda value: str(value)[-40:])
def test_a_file_whose_name_nobody_typed_is_the_users(place, capsys, words, name):
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text('{"dear": "notes"}', encoding="utf-8")
    before = contents(place)
    assert importlib.import_module(f"edge_runtime.cli.{words[0]}").main(words[1:]) == 1
    err = capsys.readouterr().err
    assert f"would also replace {name}, which no earlier run has made\nhint: move it away" in err
    assert contents(place) == before
