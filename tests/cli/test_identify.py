"""edge-identify: the shipped model's own preparation is found again, and what cannot be told apart is said."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.cli import detect, identify
from edge_runtime.detect.understand import understand
from edge_runtime.identify import answer
from edge_runtime.model import onnx_file, shipped
from edge_runtime.model.recipe import load_recipe
from edge_runtime.model.spec import METADATA_KEY, ModelSpec
from edge_runtime.sources.demo import PHOTOS
from edge_runtime.zoo.__main__ import main as zoo_main
from tests.text.nasty import NASTY, obeyed

pytest.importorskip("onnxruntime")
MODEL = str(shipped.shipped_folder() / shipped.INT8)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A network that finds the same box in every picture, whatever it gets."""
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        (tmp_path / "data" / "images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "labels").mkdir(exist_ok=True)
        picture = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "data" / "images" / f"{number}.png"), picture)
        (tmp_path / "data" / "labels" / f"{number}.txt").write_text("1 0.5 0.5 0.3125 0.3125\n", encoding="utf-8")
    (tmp_path / "data" / "data.yaml").write_text("names: [a, b, c]\n", encoding="utf-8")
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})


def test_the_shipped_model_is_found_again(tmp_path, capsys) -> None:
    recipe, page = tmp_path / "r.toml", tmp_path / "site" / "page.html"
    words = [MODEL, "--images", str(PHOTOS), "--json", "-o", str(recipe), "--report", str(page)]
    assert identify.main(words) == 0
    out, err = capsys.readouterr()
    found, truth = json.loads(out), ModelSpec.from_json(onnx_file.read_io(MODEL).metadata[METADATA_KEY])
    chosen = found["chosen"]
    assert (chosen["family"], chosen["color"]) == (truth.family, truth.color)
    assert (chosen["mean"], chosen["std"]) == (list(truth.mean), list(truth.std))
    assert found["judge"] == "agreement" and found["sure"].startswith("not sure: 4 pictures are few")
    said = load_recipe(str(recipe))
    assert (said.family, said.color, said.labels, said.anchors) == (truth.family, "rgb", "voc", truth.anchors)
    text = page.read_text(encoding="utf-8")
    assert text.count("<img") == text.count('src="data:image/png') >= 2 and "http:" not in text and "https:" not in text
    assert found["reason"].split(":")[0] in text and f"--recipe {recipe}" in err


def test_a_stamped_copy_needs_no_flags(tiny, tmp_path, capsys) -> None:
    assert identify.main([tiny, "--data", "data", "--labels", "a,b,c", "-o", "new.onnx", "--threads", "1"]) == 0
    model = understand("new.onnx", onnx_file.read_io("new.onnx"))
    assert model.certain and not model.notes and model.spec.labels == ("a", "b", "c")
    capsys.readouterr()
    assert detect.main(["new.onnx", "data/images", "--output", "-", "--threads", "1"]) == 0
    err = capsys.readouterr().err
    assert "detections: b 8" in err and "preprocessing" not in err


def test_what_makes_no_difference_is_not_told_apart(tiny, capsys) -> None:
    """All combinations have AP 1. The usual one is taken, and nobody is told that it is sure."""
    pytest.importorskip("pycocotools")
    assert identify.main([tiny, "--data", "data", "--json", "--threads", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["judge"] == "AP" and found["chosen"]["score"] == pytest.approx(1.0)
    chosen = found["chosen"]
    assert (chosen["resize"], chosen["color"], chosen["scale"], chosen["labels"]) == (
        "letterbox",
        "rgb",
        "0..1",
        "data",
    )
    assert "not told apart from chance" in found["sure"] and "bgr" in found["sure"]
    assert all(each["ahead"] == 0.5 for each in found["rivals"] if each["dimension"] in ("color", "scale"))


def test_flags_fix_their_part(tiny, capsys) -> None:
    flags = "--color bgr --mean 0,0,0 --std 1,1,1 --resize stretch --family yolo_v8 --labels a,b,c".split()
    assert identify.main([tiny, "--data", "data", "--threads", "1", *flags]) == 0
    out = capsys.readouterr().out
    assert "yolo_v8, stretch, bgr, given: AP 1.000 over 6 pictures, the best AP; nothing else comes near" in out
    assert "1 combinations, 6 pictures, 6 runs" in out


def test_nothing_found_is_an_error_with_a_way_out(tiny, tmp_path, capsys) -> None:
    quiet = write_onnx(tmp_path / "quiet.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.01, 1))})
    assert identify.main([quiet, "--threads", "1", "-o", "r.toml"]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-2].startswith("error: no combination finds confident boxes in 2 pictures of the photographs")
    assert err[-1].startswith("hint: give pictures with objects that the model knows")
    assert not (tmp_path / "r.toml").exists()


@pytest.mark.parametrize("name", ["leyolo", "yolo_nano", "ssdlite"])
def test_an_untrained_file_is_believed_and_its_outputs_are_doubted(name, tmp_path, capsys) -> None:
    path, recipe, page = (str(tmp_path / file) for file in ("new.onnx", "r.toml", "p.html"))
    assert zoo_main([name, "-o", path, "--imgsz", "64"]) == 0
    truth = ModelSpec.from_json(onnx_file.read_io(path).metadata[METADATA_KEY])
    assert identify.main([path, "--threads", "1", "--json", "-o", recipe, "--report", page]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"]["family"] == truth.family and found["chosen"]["mean"] == list(truth.mean)
    assert found["reason"].startswith(f"{truth.family}, {truth.resize}, rgb, as stated: its metadata say so")
    assert found["sure"].startswith("not sure: the file is believed") and found["judge"] == "its metadata"
    assert load_recipe(recipe).family == truth.family
    assert "No picture says anything" in Path(page).read_text(encoding="utf-8")


def test_a_stamped_file_that_finds_nothing_is_believed(tiny, tmp_path, capsys) -> None:
    write_onnx(tmp_path / "quiet.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.01, 1))})
    spec = ModelSpec("yolo_v8", (64, 64), ("a", "b", "c"), color="bgr")
    answer.stamp("quiet.onnx", tmp_path / "stamped.onnx", spec)
    assert identify.main(["stamped.onnx", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "yolo_v8, letterbox, bgr, as stated: its metadata say so" in out and "finds confident boxes in 2" in out
    assert identify.main(["stamped.onnx", "--threads", "1", "--color", "rgb"]) == 0
    assert "letterbox, rgb, as stated" in capsys.readouterr().out, "a flag goes before the file"


def test_an_untrained_file_without_metadata_is_not_read_by_its_shape(tmp_path, capsys) -> None:
    path = str(tmp_path / "new.onnx")
    assert zoo_main(["leyolo", "-o", path, "--imgsz", "320"]) == 0
    model = onnx_file.load_onnx(path)
    del model.metadata_props[:]
    Path(path).write_bytes(model.SerializeToString())
    assert identify.main([path, "--threads", "1"]) == 1
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert "contradict every family that fits their shapes" in error and "untrained" in hint
    assert identify.main([path, "--threads", "1", "--family", "yolo_v8"]) == 1
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert "contradict the family yolo_v8" in error and "leave --family out" in hint, "it was named already"


def test_outputs_that_are_no_numbers_are_the_finding(tmp_path, capsys) -> None:
    bad = write_onnx(tmp_path / "bad.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1)) * float("nan")})
    assert identify.main([bad, "--threads", "1", "--family", "yolo_v8"]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-2] == f"error: the outputs of {bad} are never finite (NaN or infinite)"
    assert err[-1] == "hint: float16 overflow, or damaged weights: export it again, in float32"


def test_boxes_that_stay_where_they_are_are_no_evidence(tmp_path, capsys) -> None:
    """The network finds its box in every copy at the same place: that is a fault, not a detection."""
    still = write_onnx(tmp_path / "still.onnx", {"output0": boxes_v8((16, 16, 20, 20, 0.9, 1))})
    assert identify.main([still, "--threads", "1"]) == 1
    assert "no combination finds confident boxes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["nowhere.onnx"], "no engine 'nowhere.onnx'"),
        (["m.plan"], "m.plan is no ONNX file"),
        (["tiny.onnx", "--images", "empty"], "no pictures in empty"),
        (["tiny.onnx", "--data", "empty"], "empty does not have the layout of a data set"),
        (["tiny.onnx", "--data", "data", "--labels", "x,y,z"], "no combination finds confident boxes"),
        (["tiny.onnx", "--family", "yolo_v2"], ""),
    ],
)
def test_errors_have_a_hint(tiny, tmp_path, capsys, words, fact) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "m.plan").write_bytes(b"no plan")
    assert identify.main([*words, "--threads", "1"]) == 1
    err = capsys.readouterr().err
    assert "error: " in err and "hint: " in err and fact in err and "fault of edge-runtime" not in err


def test_names_are_shown_and_never_obeyed(tiny, tmp_path, capsys) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps(list(NASTY[:3])), encoding="utf-8")
    words = [tiny, "--data", "data", "--labels", str(names), "--report", "p.html", "-o", "r.toml", "--threads", "1"]
    (tmp_path / "data" / "data.yaml").write_text(f"names: {json.dumps(list(NASTY[:3]))}\n", encoding="utf-8")
    assert identify.main(words) == 0
    out, err = capsys.readouterr()
    assert not obeyed(out) and not obeyed(err) and not obeyed((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert load_recipe("r.toml").labels == tuple(NASTY[:3])


def test_detect_points_to_it(tiny, capsys) -> None:
    assert detect.main([tiny, "data/images", "--labels", "a,b,c", "--threads", "1"]) == 0
    assert f"edge-identify {tiny} finds it out" in capsys.readouterr().err
