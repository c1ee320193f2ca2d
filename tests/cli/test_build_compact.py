"""edge-build --compact: what is built is the small network, and the passport still names the user's file."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from edge_runtime.cli import _build_compact, build
from edge_runtime.detect.evidence import described
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.gpu import passport, trt
from edge_runtime.graph.network import Network
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from bench import pruned_zoo

pytest.importorskip("onnxruntime")
MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
INT8 = Path(__file__).resolve().parents[2] / "engines" / "yolo_nano_voc_int8.onnx"


@pytest.fixture
def pruned(tmp_path) -> str:
    path = tmp_path / "pruned.onnx"
    onnx.save(pruned_zoo.pruned("yolo_nano", 0.7, pruned_zoo.FORMS[0], imgsz=64), path)
    return str(path)


def file_to_build(path: str, *flags: str):
    args = build._parser().parse_args([path, *flags])
    return _build_compact.file_to_build(args, described(path, ModelFlags()).spec)


def weights(path: str) -> int:
    return sum(value.size for value in Network(onnx_file.load_whole(path)).constants.values())


def test_the_small_network_is_there_while_it_is_built(pruned, capsys):
    with file_to_build(pruned, "--compact") as path:
        assert weights(path) < 0.5 * weights(pruned)
        assert described(path, ModelFlags()).spec == described(pruned, ModelFlags()).spec
    assert not Path(path).exists()
    said = capsys.readouterr().err
    assert "compacted: MACs" in said and "random inputs and 2 pictures" in said


def test_the_limits_are_those_of_the_other_command(pruned, capsys):
    sizes = {}
    for multiple in ("2", "16"):
        with file_to_build(pruned, "--compact", "--multiple", multiple, "--tolerance", "1e-3") as path:
            sizes[multiple] = weights(path)
        said = capsys.readouterr().err
        assert f"widths are multiples of {multiple}: " in said and "allowed 1e-03" in said
    assert sizes["2"] < sizes["16"] < weights(pruned)
    with pytest.raises(ModelError, match="differs by") as caught, file_to_build(
        pruned, "--compact", "--tolerance", "0"
    ):
        pass
    assert "--tolerance" in str(caught.value.hint)
    with pytest.raises(UsageError, match="limits of --compact"), file_to_build(pruned, "--multiple", "4"):
        pass
    with pytest.raises(UsageError, match="--multiple is 0"), file_to_build(pruned, "--compact", "--multiple", "0"):
        pass


def test_without_the_flag_it_is_the_file_itself(pruned):
    with file_to_build(pruned) as path:
        assert path == pruned


def test_a_quantised_file_is_refused():
    with pytest.raises(ModelError, match="INT8 already") as caught, file_to_build(str(INT8), "--compact"):
        pass
    assert "calibrate" in str(caught.value.hint)


@pytest.mark.skipif(
    trt.missing() is not None or not trt.is_rtx(trt.library()), reason="needs the TensorRT-RTX wheels: .[rtx]"
)
def test_the_passport_names_the_file_of_the_user(tmp_path, capsys):
    plan, model = tmp_path / "small.plan", str(MODELS / "yolo_v8.onnx")
    flags = ["-o", str(plan), "--compact", "--precision", "fp32", "--compute-capability", "SM86"]
    assert build.main([model, *flags]) == 0
    made = passport.read_passport(plan)
    assert made is not None and made.onnx == onnx_file.digest(model) and "--compact" in made.command
    assert "compacted: MACs" in capsys.readouterr().err
