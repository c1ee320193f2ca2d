"""edge-calibrate as a user runs it: files out, errors in words, a killed run that goes on, stale tables never used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime import zoo
from edge_runtime.calibrate import reopened
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.cli import calibrate
from edge_runtime.detect import golden
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import DeviceError
from edge_runtime.gpu import trt
from edge_runtime.graph.network import Network
from edge_runtime.model.labels import VOC
from edge_runtime.model.spec import RANGES_KEY
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from tests.standins import tensorrt_api

SIDE = 64


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a model and pictures."""
    folder, generator = tmp_path_factory.mktemp("place"), np.random.default_rng(0)
    architecture = zoo.build("yolo_nano", VOC, SIDE)
    onnx.save(to_onnx(architecture, weights.random(architecture, 1)), folder / "nano.onnx")
    (folder / "photos").mkdir()
    for number in range(10):
        picture = cv2.resize(generator.integers(0, 255, (9, 12, 3), np.uint8), (120, 90))
        cv2.imwrite(str(folder / "photos" / f"{number}.png"), picture)
    return folder


def run(place: Path, out: Path, *more: str) -> int:
    said = [str(place / "nano.onnx"), "--images", str(place / "photos"), "-o", str(out / "int8.onnx"), *more]
    return calibrate.main([*said, "--backend", "onnxruntime", "--threads", "1"])


def test_golden_frames_that_fail_cost_no_file(place, tmp_path, capsys, monkeypatch):
    def busy(*arguments: object) -> None:
        raise DeviceError("the GPU has no memory left", hint="close other programs")

    monkeypatch.setattr(golden, "record", busy)
    assert run(place, tmp_path) == 0
    assert "note: the file gets no golden frames: the GPU has no memory left" in capsys.readouterr().err
    assert (tmp_path / "int8.onnx").exists()


def test_everything_at_once(place, tmp_path, capsys):
    names = {"--report": "r.html", "--tensorrt-form": "trt.onnx", "--legacy-cache": "c.cache", "--manifest": "m.toml"}
    files = {flag: tmp_path / name for flag, name in names.items()}
    assert run(place, tmp_path, *(str(part) for pair in files.items() for part in pair)) == 0
    out, err = capsys.readouterr()
    assert "agreement: 1.0000 ->" in out and "boxes at 0.25" in out and "int8.onnx: " in out
    assert "only 10 images" not in out and "only 8 images" in err
    onnx.checker.check_model(str(tmp_path / "int8.onnx"), full_check=True)
    onnx.checker.check_model(str(tmp_path / "trt.onnx"), full_check=True)
    table = RangeTable.load(tmp_path / "int8.ranges.json")
    assert table.about["images"] == 8
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "int8.onnx").metadata_props}
    assert float(metadata["disagreement"]) >= 0 and "drop" not in metadata, "edge-build --precision best goes by it"
    assert ("edge_runtime_golden" in metadata) != ("the file gets no golden frames" in err)  # by what is installed
    with Detector.open(tmp_path / "int8.onnx") as detector:
        assert not any("golden" in note for note in detector.model.notes)
    lines = files["--legacy-cache"].read_text(encoding="utf-8").splitlines()
    assert lines[0] == "TRT-8502-EntropyCalibration2" and "this one is for 8.5.2" in err
    assert len(lines) == 1 + len(table.ranges) - len(table.float_activations)
    page, data = (
        files["--report"].read_text(encoding="utf-8"),
        json.loads((tmp_path / "r.json").read_text(encoding="utf-8")),
    )
    assert "hardest to round" in page and "http" not in page.replace("http-equiv", "")
    assert data["recommendation"] in out and len(data["worst"]) == 12 and data["images"]["images"] == 10
    assert not list(tmp_path.glob("*.npz")), "notes on the way are removed"
    assert run(place, tmp_path, "--no-verdict") == 0


def test_the_legacy_cache_is_for_the_tensorrt_that_is_here_or_asked_for(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trt, "missing", lambda: None)
    cache = tmp_path / "c.cache"
    other = ["--legacy-version", "10.7.0"]
    cases = (("10.3", [], "TRT-100300"), ("8.2", [], "TRT-8201"), ("8.2", other, "TRT-100700"), ("11", [], "TRT-8502"))
    for here, asked, header in cases:
        monkeypatch.setattr(trt, "library", lambda here=here: tensorrt_api.module(here))
        quick = ["--no-verdict", "--method", "minmax", "--legacy-cache", str(cache)]
        assert run(place, tmp_path, *quick, *asked) == 0
        assert cache.read_text(encoding="utf-8").startswith(f"{header}-EntropyCalibration2\n")
        assert ("no TensorRT that reads" in capsys.readouterr().err) is (here == "11")


def test_a_page_without_a_verdict_is_refused_at_the_start(place, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(place, tmp_path, "--report", str(tmp_path / "r.html"), "--no-verdict")
    assert "--report is the page of the verdict\nhint: leave --no-verdict out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_page_that_cannot_be_written_for_want_of_pictures_is_told(place, tmp_path, capsys):
    said = [str(place / "nano.onnx"), "--images", str(place / "photos" / "0.png"), "-o", str(tmp_path / "int8.onnx")]
    report = tmp_path / "r.html"
    assert calibrate.main([*said, "--backend", "onnxruntime", "--method", "minmax", "--report", str(report)]) == 1
    assert f"{report} is not written: there is no verdict" in capsys.readouterr().err
    assert (tmp_path / "int8.onnx").is_file() and not report.exists()


def test_a_legacy_cache_that_nobody_reads_is_refused_at_the_start(place, tmp_path, capsys):
    assert run(place, tmp_path, "--legacy-cache", str(tmp_path / "c"), "--legacy-version", "11.4") == 1
    assert "11.4 reads no calibration cache" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_again_uses_the_table_and_says_so(place, tmp_path, capsys):
    for _ in range(2):
        assert run(place, tmp_path, "--no-verdict", "--method", "minmax") == 0
    assert "up to date: used" in capsys.readouterr().err
    assert run(place, tmp_path, "--no-verdict", "--method", "mse") == 0
    assert "made anew" in capsys.readouterr().err
    (tmp_path / "int8.ranges.json").write_text("damaged", encoding="utf-8")
    assert run(place, tmp_path, "--no-verdict", "--method", "mse") == 0
    assert "not a range table" in capsys.readouterr().err


def test_a_bare_name_is_looked_up_as_by_the_other_commands(place, tmp_path, monkeypatch, capsys):
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "mine.onnx").write_bytes((place / "nano.onnx").read_bytes())
    monkeypatch.chdir(tmp_path)
    said = ["--images", str(place / "photos"), "-o", "int8.onnx", "--no-verdict", "--method", "minmax"]
    assert calibrate.main(["mine.onnx", *said]) == 0 and Path("int8.onnx").is_file()
    capsys.readouterr()
    assert calibrate.main(["engines/none.onnx", *said]) == 1
    assert "--engine" not in capsys.readouterr().err, "it has no such flag"


def test_a_manifest_gives_the_same_table(place, tmp_path):
    assert run(place, tmp_path, "--no-verdict", "--method", "mse", "--manifest", str(tmp_path / "set.toml")) == 0
    said = [str(place / "nano.onnx"), "--images", str(tmp_path / "set.toml"), "-o", str(tmp_path / "again.onnx")]
    assert calibrate.main([*said, "--no-verdict", "--method", "mse"]) == 0
    one, other = (RangeTable.load(tmp_path / f"{name}.ranges.json") for name in ("int8", "again"))
    assert one == other


def test_frames_of_a_video_are_picked_and_kept(place, tmp_path, capsys):
    said = [str(place / "nano.onnx"), "--from-source", "demo", "--num", "6", "-o", str(tmp_path / "int8.onnx")]
    assert calibrate.main([*said, "--no-verdict", "--method", "minmax"]) == 0
    assert len(list((tmp_path / "int8_images").glob("*.png"))) == 6
    assert "6 frames are kept" in capsys.readouterr().err


@pytest.mark.parametrize("earlier", [["000007.png"], ["holiday.jpg"], ["000007.png", "notes.txt"]])
def test_pictures_of_an_earlier_run_are_not_calibrated_on(place, tmp_path, capsys, earlier):
    folder = tmp_path / "int8_images"
    folder.mkdir()
    for name in earlier:
        (folder / name).write_bytes(b"dear")
    said = [str(place / "nano.onnx"), "--from-source", "synthetic://64x48@500", "--num", "5", "--no-verdict"]
    code = calibrate.main([*said, "--method", "minmax", "-o", str(tmp_path / "int8.onnx")])
    if earlier == ["000007.png"]:
        assert code == 0 and len(list(folder.iterdir())) == 5 and RangeTable.load(tmp_path / "int8.ranges.json")
        assert not [path for path in folder.iterdir() if path.read_bytes() == b"dear"]
        assert all(int(path.stem) < 100 for path in folder.iterdir()), "a live source is looked at for a while only"
    else:
        assert code == 1 and f"holds '{sorted(earlier)[-1]}', which no earlier run has made" in capsys.readouterr().err
        assert sorted(path.name for path in folder.iterdir()) == sorted(earlier)


def test_pictures_may_be_named_one_by_one_and_without_a_flag(place, tmp_path):
    """`--images *.png` of a shell, and a folder as the second word, are what `--images DIR` is."""
    pictures = sorted(map(str, (place / "photos").iterdir()))
    ways = [["--images", *pictures], ["--images", str(place / "photos")], [str(place / "photos")]]
    tables = []
    for number, way in enumerate(ways):
        out = tmp_path / f"{number}.onnx"
        assert (
            calibrate.main([*way, str(place / "nano.onnx"), "-o", str(out), "--no-verdict", "--method", "minmax"]) == 0
        )
        tables.append(json.loads(out.with_suffix(".ranges.json").read_text(encoding="utf-8")))
    assert tables[0] == tables[1] == tables[2]


def test_kept_layers(place, tmp_path):
    assert run(place, tmp_path, "--no-verdict", "--method", "minmax", "--keep-fp", "conv1.linear", "head13") == 0
    network = Network(onnx.load(tmp_path / "int8.onnx"))
    convs = {node.output[0]: node for node in network.nodes if node.op_type == "Conv"}
    assert network.constants[convs["head13"].input[1]].dtype == np.float32


@pytest.mark.parametrize(("said", "fact"), [
    (["--images", "nowhere"], "no such data set: nowhere"),
    (["--images", "{place}/photos", "--keep-fp", "nonsense", "--no-verdict"], "no layer 'nonsense' in the model"),
    (["--images", "{place}/photos", "-o", "{place}/nano.onnx"], "nano.onnx is both model and output"),
    (["--images", "{place}/photos", "-o", "{place}/no/such/int8.onnx"], "no folder"),
    (["--images", "{place}/photos", "--verdict-data", "{place}/photos"], "images to compare on are also calibrated on"),
])  # fmt: skip
def test_mistakes_are_answered_in_words(place, tmp_path, capsys, said, fact):
    said = [part.format(place=place) for part in said]
    assert calibrate.main([str(place / "nano.onnx"), "-o", str(tmp_path / "int8.onnx"), *said]) == 1
    err = capsys.readouterr().err
    assert fact in err and "hint: " in err and "Traceback" not in err
    assert not (tmp_path / "int8.onnx").exists()


def test_dynamically_quantised_models_are_refused(place, shared, tmp_path, capsys):
    model = str(shared / "models/yolov8/yolov8n_640_int8dyn.onnx")
    said = [model, "--images", str(place / "photos"), "-o", str(tmp_path / "i.onnx")]
    assert calibrate.main([*said, "--family", "yolo_v8", "--labels", "coco"]) == 1
    assert "quantised dynamically (ConvInteger)" in capsys.readouterr().err.replace(
        "DynamicQuantizeLinear", "ConvInteger"
    )


def test_killed_and_begun_again_gives_the_same_table(place, tmp_path):
    many = tmp_path / "photos"
    many.mkdir()
    for number in range(400):
        (many / f"{number:03}.png").write_bytes((place / "photos" / f"{number % 10}.png").read_bytes())
    said = [sys.executable, "-m", "edge_runtime.cli.calibrate", str(place / "nano.onnx"), "--images", str(many),
            "--no-verdict", "--method", "mse", "-o"]  # fmt: skip
    first = subprocess.Popen([*said, str(tmp_path / "int8.onnx")])
    notes, until = tmp_path / "int8.partial.npz", time.monotonic() + 120
    while not notes.exists() and first.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert notes.exists(), "notes are saved on the way"
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL and not (tmp_path / "int8.onnx").exists()
    for name in ("int8", "whole"):
        subprocess.run([*said, str(tmp_path / f"{name}.onnx")], check=True, timeout=300)
    one, other = (RangeTable.load(tmp_path / f"{name}.ranges.json") for name in ("int8", "whole"))
    assert one == other and not notes.exists()
    assert (tmp_path / "int8.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


QUICK = ("--no-verdict", "--method", "minmax")


def test_what_is_int8_already_is_said_with_the_way_out(place, tmp_path, capsys):
    assert run(place, tmp_path, *QUICK) == 0
    theirs = onnx.load(tmp_path / "int8.onnx")
    kept = [entry for entry in theirs.metadata_props if entry.key != RANGES_KEY]
    del theirs.metadata_props[:]
    theirs.metadata_props.extend(kept)
    onnx.save(theirs, tmp_path / "theirs.onnx")
    for name, whose in (("int8", "edge-calibrate made it"), ("theirs", "it rounds weights and activations itself")):
        said = [str(tmp_path / f"{name}.onnx"), "--images", str(place / "photos"), "-o", str(tmp_path / "again.onnx")]
        capsys.readouterr()
        assert calibrate.main([*said, *QUICK]) == 0
        err = capsys.readouterr().err
        assert f"is INT8 already, {whose}: it keeps its own ranges" in err and "give its float original" in err
        before, after = (onnx.load(tmp_path / f"{each}.onnx") for each in (name, "again"))
        assert before.graph == after.graph


def test_a_result_that_is_not_like_the_float_model_is_not_written(place, tmp_path, capsys, monkeypatch):
    """Real files and backends; the bound is below what any rounding leaves."""
    monkeypatch.setattr(reopened, "MOST_NOISE", -1.0)
    assert run(place, tmp_path, *QUICK) == 1
    err = capsys.readouterr().err
    assert "on onnxruntime the outputs" in err.replace("openvino", "onnxruntime") and "nothing was written" in err
    assert not (tmp_path / "int8.onnx").exists()


def test_what_stays_in_float_is_said(place, tmp_path, capsys):
    layers = [node.name for node in onnx.load(place / "nano.onnx").graph.node if node.op_type == "Conv"]
    assert run(place, tmp_path, *QUICK, "--keep-fp", layers[0]) == 0
    out, err = capsys.readouterr()
    assert (
        f"{layers[0]} (it was asked for with --keep-fp)" in err and "1 operator that multiplies stays in float" in err
    )
    assert "of the multiplications" not in out
    assert run(place, tmp_path, *QUICK, "--keep-fp", *layers[:40]) == 0
    out, err = capsys.readouterr()
    assert "% of the multiplications stay in float" in out and "and 36 more" in err
    assert "in float on ONNX Runtime alone" in err and "(its result is not rounded)" in err


def test_weights_in_another_file(place, tmp_path, monkeypatch, capsys):
    """Read beside the model; another file of that name in the current folder is not; their change makes new ranges."""
    (tmp_path / "model").mkdir()
    path = tmp_path / "model" / "nano.onnx"
    onnx.save(
        onnx.load(place / "nano.onnx"), str(path), save_as_external_data=True, location="w.data", size_threshold=64
    )
    monkeypatch.chdir(tmp_path)
    raw = np.frombuffer((tmp_path / "model" / "w.data").read_bytes(), np.float32)
    (tmp_path / "w.data").write_bytes((raw * 3).tobytes())
    said = [str(path), "--images", str(place / "photos"), *QUICK, "-o"]
    assert run(place, tmp_path, *QUICK) == 0
    assert calibrate.main([*said, str(tmp_path / "apart.onnx")]) == 0
    assert onnx.load(tmp_path / "apart.onnx").graph == onnx.load(tmp_path / "int8.onnx").graph
    capsys.readouterr()
    (tmp_path / "model" / "w.data").write_bytes((raw * np.float32(1.01)).tobytes())
    assert calibrate.main([*said, str(tmp_path / "apart.onnx")]) == 0
    assert "made anew" in capsys.readouterr().err
    (tmp_path / "model" / "w.data").unlink()
    assert calibrate.main([*said, str(tmp_path / "none.onnx")]) == 1
    assert "keeps its weights in w.data, which is missing" in capsys.readouterr().err
