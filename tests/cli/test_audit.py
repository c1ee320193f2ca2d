"""edge-audit: exit codes, JSON, the page, and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import cv2
import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.cli import audit, detect
from tests.text.nasty import NASTY, obeyed

pytest.importorskip("onnxruntime")
BOX, OTHER = (32, 32, 20, 20, 0.9, 1), (32, 32, 20, 20, 0.6, 2)
FLAGS = "--images photos --family yolo_v8 --threads 1".split()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two networks with fixed boxes, and pictures."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(f"photos/{number}.png", picture)
    write_onnx(tmp_path / "one.onnx", {"output0": boxes_v8(BOX, OTHER)})
    write_onnx(tmp_path / "two.onnx", {"output0": boxes_v8((30, 30, 14, 14, 0.9, 1), OTHER)})
    return tmp_path


def run(capsys: Any, *words: str, labels: str = "a,b,c") -> Dict[str, Any]:
    code = audit.main([*words, *FLAGS, "--labels", labels, "--json"])
    out, err = capsys.readouterr()
    assert code == (0 if json.loads(out)["equal"] else 1), err
    found: Dict[str, Any] = json.loads(out)
    return found


def lines(path: Path, boxes: List[Dict[str, Any]]) -> str:
    rows = [{"source": f"photos/{number}.png", "detections": boxes} for number in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_file_and_itself_are_equal(capsys: Any) -> None:
    found = run(capsys, "one.onnx", "one.onnx")
    assert found["stage"] is None and [stage["verdict"] for stage in found["stages"]] == ["equal"] * 5
    assert audit.main(["one.onnx", "one.onnx", *FLAGS, "--labels", "a,b,c"]) == 0
    out = capsys.readouterr().out
    assert "one.onnx and one.onnx are equal: pixels, layers, decoding, thresholds and NMS, on 3 pictures" in out


def test_each_side_may_have_a_recipe_of_its_own(capsys: Any, folder: Path) -> None:
    (folder / "b.toml").write_text('labels = ["x", "b", "c"]\n', encoding="utf-8")
    found = run(capsys, "one.onnx", "one.onnx", "--recipe-b", "b.toml")
    assert "it has other labels" in found["stages"][2]["about"] or found["stage"] == "decoding"
    assert run(capsys, "one.onnx", "one.onnx", "--recipe-a", "b.toml", "--recipe-b", "b.toml")["stage"] is None


def test_a_recipe_of_what_another_program_wrote_is_refused(capsys: Any, folder: Path) -> None:
    (folder / "b.toml").write_text('color = "bgr"\n', encoding="utf-8")
    words = ["one.onnx", lines(folder / "theirs.jsonl", []), "--recipe-b", "b.toml"]
    assert audit.main([*words, *FLAGS, "--labels", "a,b,c"]) == 2
    assert "is what a program wrote, and b.toml says how a model is read" in capsys.readouterr().err


def test_other_outputs_part_at_the_layers_and_the_page_shows_both(capsys: Any, folder: Path) -> None:
    found = run(capsys, "one.onnx", "two.onnx", "--report", "site/page.html")
    assert found["stage"] == "layers" and "output0" in found["sentence"]
    assert [each["boxes"] for each in found["pictures"]] == [[2, 2]] * 3
    text = (folder / "site" / "page.html").read_text(encoding="utf-8")
    assert text.count("<img") == text.count('src="data:image/png') == 3 and "http:" not in text and "https:" not in text
    assert "part at the layers" in text and "one.onnx on the left, two.onnx on the right" in text


def test_boxes_of_edge_detect_are_its_own(capsys: Any) -> None:
    words = "one.onnx photos --family yolo_v8 --labels a,b,c --threads 1 --output theirs.jsonl".split()
    assert detect.main(words) == 0
    capsys.readouterr()
    for pair in (("one.onnx", "theirs.jsonl"), ("theirs.jsonl", "one.onnx")):
        assert run(capsys, *pair)["stage"] is None
    found = run(capsys, "one.onnx", "theirs.jsonl", "--conf", "0.7")
    assert found["stage"] == "thresholds" and "near 0.6, not 0.7" in found["sentence"]


def test_outputs_that_are_not_finite_are_said(capsys: Any, folder: Path) -> None:
    output = boxes_v8(BOX)
    output[0, 4:, 7] = np.inf
    np.savez("theirs.npz", **{f"{number}.png/output0": output for number in range(3)})
    found = run(capsys, "one.onnx", "theirs.npz")
    assert found["stage"] == "layers" and "9 output values that are not finite, in 3 of 3 pictures" in found["sentence"]


def test_some_pictures_are_missing(capsys: Any, folder: Path) -> None:
    (folder / "theirs.jsonl").write_text('{"source": "1.png", "detections": []}\n', encoding="utf-8")
    found = run(capsys, "one.onnx", "theirs.jsonl")
    assert len(found["pictures"]) == 1 and "2 of 3 pictures are not in theirs.jsonl" in found["notes"]


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["one.onnx", "none.onnx"], "none.onnx"),
        (["one.onnx", "none.npz"], "none.npz holds no outputs: is not there"),
        (["one.jsonl", "two.jsonl"], "is not there"),
        (["one.onnx", "photos"], "no .npz file in photos"),
        (["one.onnx", "one.onnx", "--images", "none.png"], "photos is not a picture"),
        (["one.onnx", "one.onnx", "--family", "yolo_v2"], ""),
    ],
)
def test_errors_have_a_hint_and_their_own_code(capsys: Any, words: List[str], fact: str) -> None:
    assert audit.main([*FLAGS, "--labels", "a,b,c", *words]) == 2
    err = capsys.readouterr().err
    assert "error: " in err and "hint: " in err and fact in err and "fault of edge-runtime" not in err


def test_names_are_shown_and_never_obeyed(capsys: Any, folder: Path) -> None:
    (folder / "names.json").write_text(json.dumps(list(NASTY[:3])), encoding="utf-8")
    words = ["one.onnx", "two.onnx", *FLAGS, "--labels", "names.json", "--report", "p.html"]
    assert audit.main(words) == 1
    out, err = capsys.readouterr()
    assert not obeyed(out) and not obeyed(err) and not obeyed((folder / "p.html").read_text(encoding="utf-8"))
