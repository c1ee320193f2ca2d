"""tools/accuracy.py: reads truth and flags rightly, and scores what it should."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
VOC = """<annotation><object><name>dog</name><difficult>0</difficult>
<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>80</ymax></bndbox></object></annotation>"""
TABLE = "# a comment\nfile\tdata\tAP\tAP50\tflags\na/b.onnx\tcoco_val\t0.5\t0.6\t--family yolox --mean 0,0,0\n"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("pycocotools")
    pytest.importorskip("onnxruntime")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("accuracy")


def voc(folder: Path) -> Path:
    for name, text in {"ImageSets/Main/eval.txt": "000007\n", "Annotations/000007.xml": VOC}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_table(accuracy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "AP.tsv").write_text(TABLE)
    (row,) = accuracy.read_table(tmp_path / "AP.tsv")
    assert row["file"] == "a/b.onnx" and row["AP"] == "0.5" and row["flags"] == "--family yolox --mean 0,0,0"


def test_voc_pixels_count_from_one_and_include_the_last(accuracy: ModuleType, tmp_path: Path) -> None:
    data = accuracy.read_voc(voc(tmp_path), "eval")
    (thing,) = data["annotations"]
    assert thing["bbox"] == [10, 20, 29, 59] and thing["area"] == 29 * 59
    assert data["categories"][thing["category_id"]]["name"] == "dog"
    assert data["images"] == [{"id": 0, "file_name": "000007.jpg"}]


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1.0), (100.0, 0.0)])
def test_score(accuracy: ModuleType, tmp_path: Path, shift: float, expected: float) -> None:
    voc(tmp_path / "data" / "voc2007")
    data = accuracy.load_data("voc2007 eval", tmp_path)
    box = {"image_id": 0, "category_id": data.category["dog"], "bbox": [10 + shift, 20, 29, 59], "score": 0.9}
    assert accuracy.score([box], data) == pytest.approx((expected, expected))
    assert accuracy.score([], data) == (0.0, 0.0)


def test_on_a_few_images(accuracy: ModuleType, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--shared", str(shared), "--only", "yolov8n_640_fp32deq", "--images", "8", "--backend", "onnxruntime"]
    accuracy.main([*arguments, "--threads", "2"])
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| yolov8/"))
    assert float(row.split("|")[4]) > 0.25
