"""Values of flags: what is out of range is refused when it is typed, by every command alike."""

from __future__ import annotations

import pytest

from edge_runtime.backends import BackendOptions
from edge_runtime.cli import bench, build, calibrate, detect, power
from edge_runtime.cli import eval as eval_
from edge_runtime.errors import EdgeError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.sources import SourceOptions

DETECT = ["--engine", "a.onnx", "--source", "demo"]
NUMBERS = ("-1", "nan", "inf", "-inf", "x", "", "1e400", "9" * 5000, "²", "0x10", "1,2")
WHOLE, ABOVE_0 = ("1.5", "1e3"), ("0",)
FLAGS = [
    (detect, DETECT, "--target-fps", ABOVE_0), (detect, DETECT, "--duration", ABOVE_0),
    (detect, DETECT, "--fps", ABOVE_0), (detect, DETECT, "--warmup", WHOLE), (detect, DETECT, "--threads", WHOLE),
    (detect, DETECT, "--idle", ()), (detect, DETECT, "--settle", ()), (detect, DETECT, "--budget", ABOVE_0),
    (detect, DETECT, "--max-frames", WHOLE + ABOVE_0), (detect, DETECT, "--conf", ("2", "1.0001")),
    (detect, DETECT, "--iou", ("2",)), (detect, DETECT, "--max-det", (*WHOLE, *ABOVE_0, "100001")),
    (detect, DETECT, "--batch", WHOLE + ABOVE_0), (detect, DETECT, "--imgsz", (*ABOVE_0, "1x0", "100000", "1x2x3")),
    (detect, DETECT, "--size", (*ABOVE_0, "0x5", "640x")), (detect, DETECT, "--shrink", ABOVE_0),
    (detect, DETECT, "--pad-value", (*WHOLE, "256")), (bench, DETECT, "--seconds", ABOVE_0),
    (bench, DETECT, "--warmup", ()), (bench, DETECT, "--repeats", WHOLE + ABOVE_0),
    (bench, DETECT, "--batch", ("0", "1,0", "1,-1")), (bench, DETECT, "--streams", ("0", ",")),
    (eval_, ["--engine", "a.onnx", "--data", "d"], "--max-images", WHOLE + ABOVE_0),
    (calibrate, ["a.onnx", "--images", "d", "-o", "o"], "--num", WHOLE + ABOVE_0),
    (calibrate, ["a.onnx", "--images", "d", "-o", "o"], "--max-drop", ()),
    (calibrate, ["a.onnx", "--images", "d", "-o", "o"], "--verdict-budget", ()),
    (build, ["a.onnx"], "--workspace", WHOLE + ABOVE_0), (build, ["a.onnx"], "--dla", (*WHOLE, "16")),
    (build, ["a.onnx"], "--max-drop", ()), (build, ["a.onnx"], "--batch", WHOLE + ABOVE_0),
    (power, ["set", "15W"], "--settle", ()), (power, ["set", "15W"], "--owner", WHOLE + ABOVE_0),
]  # fmt: skip
TAKEN = {
    ("--max-drop", "inf"),
    ("--max-drop", "1e400"),
    ("--max-drop", "9" * 5000),
    ("--batch", "1,2"),
    ("--streams", "1,2"),
}


@pytest.mark.parametrize(
    ("command", "before", "flag", "wrong"), FLAGS, ids=[f"{row[0].__name__.split('.')[-1]}{row[2]}" for row in FLAGS]
)
def test_a_number_out_of_range_is_wrong_usage(command, before, flag, wrong, capsys):
    for text in (*NUMBERS, *wrong):
        if (flag, text) in TAKEN and command in (bench, calibrate, build):
            continue
        with pytest.raises(SystemExit) as ended:
            command.main([*before, f"{flag}={text}"])
        said = capsys.readouterr().err.splitlines()[0]
        assert ended.value.code == 2
        assert flag in said
        assert len(said) < 600
        assert "invalid" not in said, "argparse's own words name a Python function"


@pytest.mark.parametrize(
    "make",
    [
        lambda: BackendOptions(threads=-3), lambda: BackendOptions(batch=0), lambda: BackendOptions(slots=0),
        lambda: BackendOptions(threads="2"), lambda: BackendOptions(spinning=1), lambda: BackendOptions(batch=True),
        lambda: SourceOptions(fps=-5), lambda: SourceOptions(fps=float("nan")), lambda: SourceOptions(size_wh=(0, 5)),
        lambda: SourceOptions(loop="yes"), lambda: Thresholds(conf=2), lambda: Thresholds(conf="0.5"),
        lambda: Thresholds(max_det=10**7), lambda: Thresholds(iou=None), lambda: Thresholds(classes=[1.5]),
        lambda: Thresholds(classes=[-1]), lambda: Pipeline(None, "demo", max_frames=0),
        lambda: Pipeline(None, "demo", duration_s=-1), lambda: Pipeline(None, "demo", warmup=-4),
        lambda: Pipeline(None, "demo", duration_s=float("nan")),
    ],
)  # fmt: skip
def test_the_same_in_python(make):
    with pytest.raises(EdgeError) as caught:
        make()
    assert caught.value.hint.startswith("expected ")


def test_a_single_class_needs_no_list():
    assert Thresholds(classes="dog").class_ids(["cat", "dog"]) == [1]
    assert Thresholds(classes=0).class_ids(["cat", "dog"]) == [0]
