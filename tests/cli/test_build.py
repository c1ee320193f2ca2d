"""edge-build as a user runs it: a plan and its passport, or one error and one hint."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge_runtime.accuracy.evidence import AGREEMENT, AP, Evidence, sentence
from edge_runtime.build import BuildOptions, load_input
from edge_runtime.calibrate import runs
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.cli import _build_best, _build_half, build
from edge_runtime.detect.evidence import described
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.gpu import passport, trt
from edge_runtime.model.recipe import ModelFlags
from tests.hearing import heed_signals

ENGINES = Path(__file__).resolve().parents[2] / "engines"
FLOAT, INT8 = str(ENGINES / "yolo_nano_voc.onnx"), str(ENGINES / "yolo_nano_voc_int8.onnx")
rtx = pytest.mark.skipif(
    trt.missing() is not None or not trt.is_rtx(trt.library()), reason="needs the TensorRT-RTX wheels: .[rtx]"
)
TARGET = ["--compute-capability", "SM86"]


@rtx
def test_a_file_with_ranges_becomes_int8(tmp_path, capsys):
    plan = tmp_path / "n.plan"
    assert build.main([INT8, "-o", str(plan), *TARGET]) == 0
    out = capsys.readouterr().out
    int8, half = (int(count) for count in re.search(r"convolutions: (\d+) int8, (\d+) float16", out).groups())
    assert int8 > 80 and int8 + half == 122 and "int8+fp16" in out and "compute capability 8.6" in out
    made = passport.read_passport(plan)
    assert made is not None and made.command == f"edge-build {INT8} -o {plan} --compute-capability SM86"


@rtx
def test_sample_images_make_the_ranges_and_an_equal_table_is_used_again(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for number in range(2):
        picture = np.random.default_rng(number).integers(0, 255, (90, 120, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), picture)
    said = [FLOAT, "--calib", str(tmp_path / "photos"), "-o", str(tmp_path / "n.plan"), "--json", *TARGET]
    assert build.main(said) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["convolutions"]["int8"] >= 80 and about["ranges"]
    table = RangeTable.load(tmp_path / "n.ranges.json")
    assert table.about["images"] == 2
    assert build.main(said) == 0 and json.loads(capsys.readouterr().out)["ranges"] == about["ranges"]


@rtx
def test_where_a_plan_goes_when_nobody_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert build.main([FLOAT, *TARGET]) == 0
    assert [path.name for path in Path("engines/plans").glob("*/*")] and "fp16" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "fact", "hint"),
    [
        (["nothing.onnx"], "no engine 'nothing.onnx'", "there is"),
        ([FLOAT, "--precision", "int8"], "no activation ranges", "--calib"),
        ([FLOAT, "--precision", "fp16", "--calib", "photos"], "no use for fp16", "leave"),
        ([FLOAT, "--compute-capability", "SM99"], "does not build for SM99", "SM86"),
        ([FLOAT, "--compute-capability", "86"], "compute capability is '86'", "SM86"),
        ([FLOAT], "there is no GPU here", "--compute-capability"),
        ([FLOAT, "--dla", "1", *TARGET], "no DLA core 1: tensorrt_rtx", "--dla"),
        ([FLOAT, "-o", "/proc/nowhere/n.plan", *TARGET], "no folder /proc/nowhere", "-o"),
        ([FLOAT, "-o", "/proc/n.plan", *TARGET], "/proc/n.plan cannot be written", "rights"),
    ],
)
@rtx
def test_errors_are_a_fact_and_a_hint(tmp_path, monkeypatch, capsys, said, fact, hint):
    monkeypatch.chdir(tmp_path)
    assert build.main(said) == 1
    err = capsys.readouterr().err
    assert f"error: {fact}" in err or fact in err.split("hint:")[0]
    assert hint in err.split("hint:")[1] and "Traceback" not in err
    assert not list(tmp_path.rglob("*.plan*"))


@rtx
def test_float16_is_judged_and_the_passport_says_so(tmp_path, capsys):
    plan = tmp_path / "n.plan"
    assert build.main([FLOAT, "--precision", "fp16", "-o", str(plan), *TARGET]) == 0
    err = capsys.readouterr().err
    assert "cannot say whether to use float16" in err and "(photographs that come along)" in err
    made = passport.read_passport(plan)
    assert made.half["boxes"] >= 3 and made.half["agreement"] > 0.97 and made.half["verdict"] in err
    assert 10 < made.half["largest"][2] < 100 and made.half["float32_layers"] == {}


@rtx
def test_float16_is_judged_on_given_pictures(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "grey.png"), np.full((90, 120, 3), 128, np.uint8))
    said = [FLOAT, "--precision", "fp16", "-o", str(tmp_path / "n.plan"), *TARGET]
    assert build.main([*said, "--images", str(tmp_path / "photos")]) == 0
    said_of_none = "cannot say what float16 costs: neither float32 nor float16 finds a box in it"
    assert said_of_none in capsys.readouterr().err
    assert build.main([*said, "--images", str(tmp_path / "none")]) == 1 and "none" in capsys.readouterr().err
    assert build.main([*said, "--no-verdict"]) == 0
    assert "use float16" not in capsys.readouterr().err and passport.read_passport(tmp_path / "n.plan").half == {}


def test_without_onnx_runtime_float16_is_built_unjudged(monkeypatch, capsys):
    monkeypatch.setattr(runs.ours, "available", lambda: "onnxruntime is not installed")
    args, source = SimpleNamespace(verdict=True, images=None, calib=None, max_drop=0.5), nano()
    made = _build_half.judged(args, source, "fp16")
    assert made.keep == () and "not compared with float32: onnxruntime is not" in made.half["verdict"]
    assert "note: float16 is not compared" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_pictures_are_for_float16(precision):
    args = SimpleNamespace(verdict=True, images="photos", calib=None)
    with pytest.raises(UsageError, match=f"--images has no use for {precision}"):
        _build_half.judged(args, nano(), precision)
    args.images = None
    source = nano()
    assert _build_half.judged(args, source, precision) is source


def nano():
    return load_input(FLOAT, described(FLOAT, ModelFlags()).spec)


@rtx
def test_best_without_a_gpu_is_what_should_be_it(tmp_path, capsys):
    plan = tmp_path / "n.plan"
    assert build.main([INT8, "--precision", "best", "-o", str(plan), *TARGET]) == 0
    out, err = capsys.readouterr()
    assert "int8+fp16 is kept: not timed" in err and " int8, " in out
    assert passport.read_passport(plan).precision == "int8+fp16"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.plan", "n.plan.json"]


@rtx
def test_best_is_the_fastest(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_build_best, "speeds", lambda plans, options: {"fp16": 2.0, "int8": 1.0, "int8+fp16": 1.5})
    assert build.main([INT8, "--precision", "best", "-o", str(tmp_path / "n.plan"), *TARGET]) == 0
    assert "int8 is kept: fp16 2.00 ms, int8 1.00 ms, int8+fp16 1.50 ms" in capsys.readouterr().err
    assert passport.read_passport(tmp_path / "n.plan").precision == "int8"


ENOUGH = Evidence(AP, 0.2, -0.1, 0.4, 3000, 400)


@pytest.mark.parametrize(
    ("seen", "most", "tried"),
    [
        (ENOUGH, 0.5, 3),
        (ENOUGH, 0.1, 1),
        (None, 0.5, 1),
        (None, float("inf"), 3),
        (replace(ENOUGH, drop=8.2, low=6.0, high=10.0), 0.5, 1),
        (replace(ENOUGH, boxes=12, pictures=4), 0.5, 1),
        (replace(ENOUGH, boxes=0, pictures=12), 0.5, 1),
        (replace(ENOUGH, boxes=0, pictures=12), float("inf"), 3),
    ],
)
def test_best_leaves_out_what_costs_too_much_or_is_not_known(capsys, seen, most, tried):
    source = SimpleNamespace(quantised=True, evidence=seen)
    assert len(_build_best.allowed(source, most, BuildOptions())) == tried
    err = capsys.readouterr().err
    assert ("left out" in err) is (tried == 1)
    if seen and tried == 1:
        assert sentence("fp32", "INT8", seen, most) in err, "in the words of the verdict"
    assert _build_best.allowed(SimpleNamespace(quantised=False), most, BuildOptions()) == ["fp16"]


@pytest.mark.parametrize(("cost", "most", "tried"), [(4.8, 0.5, 3), (12.0, 0.5, 1), (12.0, 1.0, 3), (0.1, 0.0, 1)])
def test_best_goes_by_agreement_where_there_were_no_labels(capsys, cost, most, tried):
    source = SimpleNamespace(quantised=True, evidence=Evidence(AGREEMENT, cost, cost - 1, cost + 1, 3000, 400))
    assert len(_build_best.allowed(source, most, BuildOptions())) == tried
    err = capsys.readouterr().err
    assert "without labels" in err and (f"{cost:.2f} points of agreement" in err) is (tried == 1)


def board(root: Path, soc: str) -> Path:
    """A tree with the chip of a board."""
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/compatible").write_text(f"nvidia,p3450-0000\0nvidia,{soc}\0", encoding="utf-8")
    return root


@pytest.mark.parametrize(("soc", "capability"), [("tegra210", "5.3"), ("tegra186", "6.2"), ("tegra194", "")])
def test_best_leaves_out_what_the_gpu_or_dla_cannot_do(tmp_path, capsys, soc, capability):
    source = SimpleNamespace(quantised=True, evidence=ENOUGH)
    tried = _build_best.allowed(source, 0.5, BuildOptions(root=board(tmp_path, soc)))
    said = f"left out: a GPU of compute capability {capability} has no INT8"
    assert (tried == ["fp16"] and said in capsys.readouterr().err) is bool(capability)
    assert _build_best.allowed(source, 0.5, BuildOptions(dla=0)) == ["fp16"] and "DLA" in capsys.readouterr().err


@pytest.mark.parametrize("fails", [{"int8", "int8+fp16"}, {"fp16"}, {"fp16", "int8", "int8+fp16"}])
def test_best_keeps_what_can_be_built(tmp_path, monkeypatch, capsys, fails):
    def built(source, plan, options, command, told):
        if options.precision in fails:
            raise ModelError("checkLinks", hint="try --precision fp16")
        plan.write_text(options.precision, encoding="utf-8")
        passport.passport_path(plan).write_text("{}", encoding="utf-8")
        return options.precision

    monkeypatch.setattr(_build_best.build, "build", built)
    monkeypatch.setattr(_build_best, "speeds", lambda plans, options: {})
    source, plan = SimpleNamespace(quantised=True, evidence=ENOUGH), tmp_path / "n.plan"
    if len(fails) == 3:
        with pytest.raises(ModelError, match="checkLinks"):
            _build_best.best(source, plan, BuildOptions(), "", 0.5)
    else:
        made = _build_best.best(source, plan, BuildOptions(), "", 0.5)
        assert made == plan.read_text(encoding="utf-8") == ("fp16" if "int8" in fails else "int8+fp16")
        assert capsys.readouterr().err.count("is left out: checkLinks") == len(fails)


@rtx
@pytest.mark.parametrize(
    ("said", "fact"),
    [
        (["--precision", "int8"], "a GPU of compute capability 5.3 has no INT8"),
        (["--precision", "int8+fp16"], "a GPU of compute capability 5.3 has no INT8"),
        (["--calib", "photos"], "a GPU of compute capability 5.3 has no INT8"),
        (["--precision", "best", "--calib", "photos"], "a GPU of compute capability 5.3 has no INT8"),
        (["--dla", "0", "--precision", "int8", *TARGET], "DLA takes no network with the Q/DQ"),
        (["--dla", "0", *TARGET], "DLA takes no network with the Q/DQ"),
        (["--dla", "0", "--calib", "photos", *TARGET], "DLA takes no network with the Q/DQ"),
        (["--dla", "0", "--precision", "fp32", *TARGET], "DLA has no float32"),
    ],
)
def test_what_the_hardware_does_not_compute_is_refused_before_anything_is_done(tmp_path, capsys, said, fact):
    assert build.main([INT8, "--sysroot", str(board(tmp_path, "tegra210")), "-o", str(tmp_path / "n.plan"), *said]) == 1
    err = capsys.readouterr().err
    assert f"error: {fact}" in err and "--precision fp16" in err.split("hint:")[1]
    assert not list(tmp_path.glob("n.*"))


def test_where_the_gpu_has_no_int8_float16_is_chosen_and_said(tmp_path, capsys):
    source, nano = SimpleNamespace(quantised=True), BuildOptions(root=board(tmp_path, "tegra210"))
    assert build._precision(source, nano) == "fp16"
    assert "note: a GPU of compute capability 5.3 has no INT8: float16 is built" in capsys.readouterr().err
    assert build._precision(SimpleNamespace(quantised=False), nano) == "fp16" and not capsys.readouterr().err
    for other in (replace(nano, compute_capability="SM86"), BuildOptions(root=board(tmp_path / "orin", "tegra234"))):
        assert build._precision(source, other) == "int8+fp16" and not capsys.readouterr().err


def test_without_tensorrt_the_way_to_it_is_said(monkeypatch, capsys):
    monkeypatch.setattr(trt, "MODULES", ("no_such_module",))
    trt.library.cache_clear()
    assert build.main([FLOAT]) == 1
    assert "TensorRT is not installed" in capsys.readouterr().err
    trt.library.cache_clear()


@rtx
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    """The builder sleeps in the place of the real one; its process is gone afterwards, too."""
    mark = tmp_path / "began"
    sleeping = f"import pathlib, os, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys; from edge_runtime import build; from edge_runtime.cli import build as cli;"
        f"build.WORKER = ('-c', {sleeping!r}); sys.exit(cli.main(sys.argv[1:]))"
    )
    (tmp_path / "out").mkdir()
    said = [sys.executable, "-c", code, FLOAT, "-o", str(tmp_path / "out" / "n.plan"), *TARGET]
    process = subprocess.Popen(
        said, stderr=subprocess.PIPE, encoding="utf-8", env={**os.environ, "PYTHONPATH": os.getcwd()},
        preexec_fn=heed_signals,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (mark.exists() and mark.read_text(encoding="utf-8")) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130 and "Traceback" not in process.stderr.read()
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text(encoding="utf-8")), 0)


@rtx
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killed_in_any_way_the_builder_and_its_folder_go_too(tmp_path, number):
    """The real worker, held up before it builds."""
    (tmp_path / "out").mkdir()
    sleeping = (
        "import runpy, sys, threading, time; from edge_runtime.build import worker;"
        "threading.Thread(target=worker.end_with_parent, args=(sys.argv[1],), daemon=True).start(); time.sleep(60)"
    )
    code = (
        "import sys; from edge_runtime import build; from edge_runtime.cli import build as cli;"
        f"build.WORKER = ('-c', {sleeping!r}); sys.exit(cli.main(sys.argv[1:]))"
    )
    said = [sys.executable, "-c", code, FLOAT, "-o", str(tmp_path / "out" / "n.plan"), *TARGET]
    with subprocess.Popen(said, env={**os.environ, "PYTHONPATH": os.getcwd()}) as process:
        end = time.monotonic() + 60
        while not list(tmp_path.glob("out/.n.plan.building-*/job.json")) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(number)
    end = time.monotonic() + 20
    while list((tmp_path / "out").iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("plan_bytes", "why"), [(29_500_000, " (3.1 MB of model, and compiled kernels for this GPU)"),
                                                 (3_500_000, "")])  # fmt: skip
def test_a_plan_that_is_much_bigger_than_its_model_says_why(tmp_path, plan_bytes, why):
    model, plan = tmp_path / "n.onnx", tmp_path / "n.plan"
    for path, size in ((model, 3_100_000), (plan, plan_bytes)):
        with path.open("wb") as file:
            file.truncate(size)
    place = SimpleNamespace(board="", compute_capability="8.6", tensorrt="tensorrt 10.3.0")
    io = SimpleNamespace(input_shape=(1, 3, 320, 320))
    made = SimpleNamespace(convolutions={}, place=place, precision="int8", seconds=2.0, io=io, least_batch=1)
    assert f"int8, {plan_bytes / 1e6:.1f} MB{why} in 2.0 s" in build._sentence(str(model), plan, made)
