"""The table of verdicts knows which one is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import verdicts
from bench.report import Table

from edge_runtime.accuracy.evidence import AGREEMENT, AP, Evidence
from edge_runtime.calibrate.verdict import Comparison
from edge_runtime.graph.prepare import state


def lost(drop: float) -> Comparison:
    return Comparison(AP, 0.5, 0.5 - drop / 100, drop, (drop - 1, drop + 1), 1.0, 1.0, 0.0, 0.0, (), 9, 40)


MANY = Evidence(AP, 0.1, -0.2, 0.5, 3000, 400)


@pytest.mark.parametrize(
    ("said", "drop", "seen", "wrong"),
    [
        ("Use INT8: ...", 0.4, MANY, False),
        ("Use INT8: ...", 0.6, MANY, True),
        ("INT8 brings little on this machine: ...", 0.6, MANY, True),
        ("Use INT8: ...", 0.4, None, True),
        ("Use INT8: ...", 0.0, Evidence(AGREEMENT, 0.0, 0.0, 0.0, 0, 12), True),
        ("Use INT8: ...", 1.9, Evidence(AGREEMENT, 5.0, 4.0, 6.0, 400, 90), False),
        ("Use INT8: ...", 2.1, Evidence(AGREEMENT, 5.0, 4.0, 6.0, 400, 90), True),
        ("These 2 pictures cannot say ...", 8.2, None, False),
    ],
)
def test_what_recommends_more_than_it_says_is_wrong(said, drop, seen, wrong):
    table = Table("", verdicts.COLUMNS)
    verdicts.add(table, "a case", said, lost(drop), seen)
    assert table.data[0]["wrong"] is wrong and (table.rows[0][-1] == "WRONG") is wrong


def test_dark_pictures_are_dark_and_a_foreign_file_says_nothing_of_ours(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((9, 9, 3), 200, np.uint8))
    folder = verdicts._copies(tmp_path / "dark", [tmp_path / "a.png"], 1, verdicts.DARK)
    assert cv2.imread(f"{folder}/a.png").max() == 4
    model = onnx.load(verdicts._foreign(tmp_path / "qat.onnx"))
    assert [entry.key for entry in model.metadata_props] == ["edge_runtime"] and state(model) == "quantised"
