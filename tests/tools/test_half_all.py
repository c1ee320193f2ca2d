"""The table of float16 forms: rows of an earlier run are kept, and each is a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import half_all

ROW = {
    "model": "nano", "float32_bytes": 11_800_000, "float16_bytes": 5_900_000, "float32_kinds": {"decodes boxes": 3},
    "float32_layers": {"Conv c": "its values reach 1e+05"}, "largest": ["t", "Conv body/c", 21.4], "pictures": 2,
    "vanished_weights": 10, "weights": 1000, "boxes": 4, "agreement": 0.995, "moved_px": 0.1, "most_px": 0.3,
    "score_drift": 0.002,
}  # fmt: skip


def test_a_model_is_run_once_for_each_number_of_pictures(tmp_path):
    path = tmp_path / "half.json"
    assert half_all.done(path, 2) == []
    half_all.save(path, [ROW])
    assert half_all.done(path, 2) == [ROW] and half_all.done(path, 3) == []
    assert json.loads(path.read_text(encoding="utf-8"))["sections"][half_all.TITLE]["rows"] == [ROW]


def test_a_line_has_a_figure_for_each_column():
    line = half_all.line(ROW)
    assert len(line) == len(half_all.COLUMNS)
    assert line == ("nano", "11.8", "5.9", "decodes boxes (3), needed (1)", "21 (Conv c)", "1.0%", "4 in 2", "99.5%",
                    "0.10", "0.30", "0.0020")  # fmt: skip


def test_one_model_of_those_that_come_along(tmp_path, shared, capsys):
    path = tmp_path / "half.json"
    said = ["--only", "yolo_nano_voc", "--images", "1", "--shared", str(shared), "--json", str(path)]
    assert half_all.main(said) == 0 and "| yolo_nano_voc |" in capsys.readouterr().out
    row = half_all.done(path, 1)[0]
    assert 0.49 < row["float16_bytes"] / row["float32_bytes"] < 0.52 and row["agreement"] == pytest.approx(1, abs=0.05)
