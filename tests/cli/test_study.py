"""edge-bench on a study file: its rows and pages, platforms that are merged, and keys that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.benchmark import results, validity
from edge_runtime.cli import bench

HEAD = """
title = "Two forms"
source = "synthetic://64x64@50"
seconds = 0.5
repeats = 2
warmup = 0.1
idle = 0
threads = 1
tune = "off"
backend = "onnxruntime"
"""
ONE = '[[engine]]\nfile = "one.onnx"\n'
ENGINES = """
[[engine]]
file = "one.onnx"
name = "one"
family = "yolo_v8"
labels = ["a", "b", "c"]
system = "yolo_nano"

[[engine]]
file = "two.onnx"
name = "two"
family = "yolo_v8"
labels = ["a", "b", "c"]
form = "INT8, PTQ"
base = "one"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(validity, "SHORTEST_S", 0.4)
    monkeypatch.setattr(validity, "OTHERS", 2.0)
    write_onnx(tmp_path / "one.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    write_onnx(tmp_path / "two.onnx", {"output0": boxes_v8((33, 32, 16, 8, 0.8, 1))})
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_study_from_the_file_to_merged_platforms(folder, capsys):
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("pycocotools")
    pytest.importorskip("matplotlib")
    for part in ("images", "labels"):
        (folder / "data" / part).mkdir(parents=True)
    for name in "ab":
        cv2.imwrite(str(folder / f"data/images/{name}.png"), np.zeros((64, 64, 3), np.uint8))
        (folder / f"data/labels/{name}.txt").write_text("1 0.5 0.5 0.25 0.125\n", encoding="utf-8")
    study = folder / "study.toml"
    study.write_text(
        f'{HEAD}data = "data"\noutput = ["s.json", "s.html", "s.md"]\n{ENGINES}max_images = 1\n', encoding="utf-8"
    )
    assert bench.main([str(study), "--sysroot", str(folder / "empty")]) == 0
    rows = results.read_rows(folder / "s.json")
    assert [row["name"] for row in rows] == ["one", "two"] and all(row["valid"] for row in rows)
    assert [row["ap"]["pictures"] for row in rows] == [2, 1], "the second has a flag of its own"
    assert rows[0]["ap"]["figures"]["AP"][0] == pytest.approx(1.0) and "APl" not in rows[0]["ap"]["figures"]
    assert (
        rows[1]["study"]["base"] == "one"
        and rows[0]["counts"]["input"] == "64x64"
        and "no power sensor" in rows[0]["no_watts"]
    )
    page, text = (folder / "s.html").read_text(encoding="utf-8"), (folder / "s.md").read_text(encoding="utf-8")
    assert "Two forms" in page and "Forms of one network" in page and "YOLO Nano (Wong" in text
    other = [{**row, "cpu": "ARM, cores 4", "fps": row["fps"] / 2} for row in rows]
    (folder / "other.json").write_text(results.to_json(other, "elsewhere"), encoding="utf-8")
    merged = [
        "merge",
        str(folder / "s.json"),
        str(folder / "other.json"),
        "-o",
        str(folder / "all.html"),
        "-o",
        str(folder / "all.json"),
    ]
    assert bench.main(merged) == 0
    assert len(results.read_rows(folder / "all.json")) == 4
    assert "ARM, cores 4" in (folder / "all.html").read_text(encoding="utf-8")
    capsys.readouterr()


def test_what_is_typed_goes_before_the_file(folder, capsys):
    (folder / "study.toml").write_text(HEAD + ENGINES + "threads = 1\n", encoding="utf-8")
    words = ["--repeats", "1", "--threads", "2", "--json", "--sysroot", str(folder / "empty")]
    assert bench.main([str(folder / "study.toml"), *words]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [len(row["windows"]) for row in rows] == [1, 1] and all("2 threads" in row["backend"] for row in rows)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (HEAD, "the study has no engine", "[[engine]]"),
        ('repets = 2\n[[engine]]\nfile = "one.onnx"', ":1: unknown key repets", "did you mean 'repeats'?"),
        ('[[engine]]\nfil = "one.onnx"', "engine[0] has no file", 'file = "MODEL.onnx"'),
        (ONE + 'famly = "yolo_v8"', ":3: unknown key engine[0].famly", "did you mean 'family'?"),
        (ONE + 'family = "yolo_v88"', ":3: engine[0].family: 'yolo_v88' is none of them", "yolo_v8"),
        (ONE + "repeats = 2", ":3: unknown key engine[0].repeats", "write it above the first"),
        ('base = "x"\n[[engine]]\nfile = "one.onnx"', ":1: unknown key base", "base is of an [[engine]]"),
        (ONE + 'name = "a"\nbase = "b"', ":4: base is 'b'", "known keys: a"),
        ('[[engine]]\nfile = "one.onnx"\n[[engine]]\nfile = "one.onnx"', "is called 'one.onnx', too", "another name"),
        (ONE + 'published = ["yolo_nanoo"]', "of 'yolo_nanoo'", "did you mean 'yolo_nano'?"),
        ('[[engine]]\nfile = 3', "engine[0].file is 3", "a text of one line"),
        ('source = "rtsp://u:pw1x7@h/s"\n[[engine]]\nfile = "one.onnx"', "has a password", "env:"),
        ("engine = 3\n", "the study has no engine", "[[engine]]"),
        ("[[engine]\n", "it is not TOML", "TOML"),
    ],
)  # fmt: skip
def test_a_study_that_does_not_fit(folder, capsys, text, said, hint):
    (folder / "study.toml").write_text(text, encoding="utf-8")
    assert bench.main([str(folder / "study.toml")]) == 1
    error = capsys.readouterr().err
    assert said in error and hint in error.partition("hint: ")[2]


def test_an_engine_that_is_not_there_is_said_before_anything_is_measured(folder, capsys):
    (folder / "study.toml").write_text(HEAD + ENGINES.replace("two.onnx", "three.onnx"), encoding="utf-8")
    assert bench.main([str(folder / "study.toml")]) == 1
    said = capsys.readouterr().err
    assert "three.onnx" in said and "one …" not in said
    assert bench.main([str(folder / "none.toml")]) == 1 and "is not there" in capsys.readouterr().err


def test_an_optional_engine_that_is_not_there_is_left_out_and_said(folder, capsys):
    more = 'optional = "make_two makes it"\n'
    (folder / "study.toml").write_text(HEAD + ENGINES.replace("two.onnx", "three.onnx") + more, encoding="utf-8")
    words = [str(folder / "study.toml"), "--repeats", "1", "--sysroot", str(folder / "empty")]
    assert bench.main([*words, "-o", str(folder / "s.md"), "-o", str(folder / "s.json")]) == 0
    said = "two: three.onnx is not there; make_two makes it"
    assert f"note: no row of {said}" in capsys.readouterr().err
    assert [row["name"] for row in results.read_rows(folder / "s.json")] == ["one"]
    assert f": {said}.".replace("_", "\\_") in (folder / "s.md").read_text(encoding="utf-8")
    odd = json.loads((folder / "s.json").read_text(encoding="utf-8"))
    odd["rows"][0]["study"]["left_out"] = 5
    (folder / "odd.json").write_text(json.dumps(odd), encoding="utf-8")
    assert bench.main(["merge", str(folder / "odd.json"), "-o", str(folder / "odd.md")]) == 1
    assert "left_out" in capsys.readouterr().err
    (folder / "study.toml").write_text(HEAD + ENGINES + more, encoding="utf-8")
    assert bench.main([*words, "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["one", "two"], "it is there"


def test_a_study_of_missing_files_alone_is_refused(folder, capsys):
    (folder / "study.toml").write_text(
        '[[engine]]\nfile = "none.onnx"\noptional = "make_none makes it"\n', encoding="utf-8"
    )
    assert bench.main([str(folder / "study.toml")]) == 1
    err = capsys.readouterr().err
    assert "no file of an engine is there" in err and "make_none makes it" in err.partition("hint: ")[2]


def test_an_engine_without_data_has_no_accuracy(folder, capsys):
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("pycocotools")
    for part in ("images", "labels"):
        (folder / "data" / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "data/images/a.png"), np.zeros((64, 64, 3), np.uint8))
    (folder / "data/labels/a.txt").write_text("1 0.5 0.5 0.25 0.125\n", encoding="utf-8")
    (folder / "study.toml").write_text(f'{HEAD}data = "data"\n{ENGINES}data = ""\n', encoding="utf-8")
    words = ["--repeats", "1", "--json", "--sysroot", str(folder / "empty"), "-o", str(folder / "s.md")]
    assert bench.main([str(folder / "study.toml"), *words]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert "ap" in first and "ap" not in second and second["valid"]
    assert "| two |" in (folder / "s.md").read_text(encoding="utf-8").split("## Forms")[1], (
        "its speed and size stand beside its base"
    )
