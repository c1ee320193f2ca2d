"""tools/accuracy.py: reads truth and flags rightly, and scores what it should."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = "# a comment\nfile\tdata\tAP\tAP50\tflags\na/b.onnx\tcoco_val\t0.5\t0.6\t--family yolox --mean 0,0,0\n"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("pycocotools")
    pytest.importorskip("onnxruntime")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("accuracy")


def test_table(accuracy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "AP.tsv").write_text(TABLE, encoding="utf-8")
    (row,) = accuracy.read_table(tmp_path / "AP.tsv")
    assert row["file"] == "a/b.onnx" and row["AP"] == "0.5" and row["flags"] == "--family yolox --mean 0,0,0"


def test_data_sets_by_their_names_in_the_table(accuracy: ModuleType, shared: Path) -> None:
    assert len(accuracy.load_data("coco_val", shared).paths) == 187
    data = accuracy.load_data("voc2007 eval", shared, 8)
    assert len(data.paths) == len(data.truths) == 8 and data.labels[14] == "person"


def test_on_a_few_images(accuracy: ModuleType, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--shared", str(shared), "--only", "yolov5n_640", "--images", "8", "--backend", "onnxruntime"]
    accuracy.main([*arguments, "--threads", "2"])
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| yolov5/"))
    assert float(row.split("|")[4]) > 0.25


def test_a_file_that_does_not_open_has_no_figure(
    accuracy: ModuleType, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "data").symlink_to(shared / "data")
    (tmp_path / "models" / "AP.tsv").write_text(TABLE, encoding="utf-8")
    assert accuracy.main(["--shared", str(tmp_path), "--only", "a/b", "--backend", "onnxruntime"]) == 1
    said = capsys.readouterr().out
    assert "NOT MEASURED" in said and "no such model" in said and "0.0000" not in said
