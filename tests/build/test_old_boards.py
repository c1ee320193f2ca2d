"""A plan for a board of JetPack 4, built from end to end: its TensorRT's names alone, in the child that builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

import onnx
import pytest

from edge_runtime import build
from edge_runtime.build import BuildOptions
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.gpu import passport, trt
from tests.build.test_build import ENGINES, chain, source
from tests.standins import tensorrt_api

CHILD = """
import sys
from edge_runtime.gpu import trt
from edge_runtime.build import worker
from tests.standins import tensorrt_api
lib = tensorrt_api.module({version!r}, **{how!r})
trt.library = lambda: lib
code = worker.main(sys.argv[1:])
import json, pathlib
job = json.loads(pathlib.Path(sys.argv[1]).read_text())
pathlib.Path({kept!r}).write_bytes(pathlib.Path(job["onnx"]).read_bytes())
sys.exit(code)
"""


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """A board with that TensorRT; what its builder was given lies in the file that is returned."""

    def lay(version: str, **how: Any) -> Path:
        kept = tmp_path / "given.onnx"
        monkeypatch.setattr(build, "WORKER", ("-c", CHILD.format(version=version, how=how, kept=str(kept))))
        monkeypatch.setattr(trt, "library", lambda: tensorrt_api.module(version))
        monkeypatch.setattr(trt, "missing", lambda: None)
        return kept

    return lay


def tree(root: Path, soc: str) -> BuildOptions:
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/compatible").write_text(f"nvidia,board\0nvidia,{soc}\0", encoding="utf-8")
    return BuildOptions("fp16", root=root)


def operators(model: onnx.ModelProto) -> Dict[str, int]:
    return {kind: sum(node.op_type == kind for node in model.graph.node) for kind in ("Cast", "QuantizeLinear")}


@pytest.mark.parametrize(("version", "soc"), [("8.0", "tegra210"), ("8.2", "tegra210"), ("8.2", "tegra186")])
def test_float16_for_nano_and_tx2(board, tmp_path, version, soc):
    kept, plan = board(version), tmp_path / "n.plan"
    made = build.build(source(ENGINES / "yolo_nano_voc.onnx"), plan, tree(tmp_path / "root", soc))
    given = onnx.load(kept)
    assert given.opset_import[0].version == 13 and operators(given) == {"Cast": 0, "QuantizeLinear": 0}
    assert made.place.tensorrt == f"tensorrt {tensorrt_api.FULL[version]}" and passport.read_passport(plan) == made
    assert made.place.compute_capability == {"tegra210": "5.3", "tegra186": "6.2"}[soc] and not made.layers


def test_int8_for_xavier_on_jetpack_4(board, tmp_path):
    """It has INT8, and a builder that types weakly: roundings in a float32 network."""
    kept, options = board("8.2"), tree(tmp_path / "root", "tegra194")
    nano = source(ENGINES / "yolo_nano_voc_int8.onnx")
    build.build(nano, tmp_path / "n.plan", BuildOptions("int8+fp16", root=options.root))
    given = onnx.load(kept)
    assert given.opset_import[0].version == 13 and operators(given)["QuantizeLinear"] > 100
    assert operators(given)["Cast"] == 0


@pytest.mark.parametrize("precision", ["int8", "int8+fp16"])
def test_int8_for_nano_is_refused(board, tmp_path, precision):
    kept, options = board("8.0"), tree(tmp_path / "root", "tegra210")
    with pytest.raises(UsageError, match=r"compute capability 5\.3 has no INT8") as caught:
        nano = source(ENGINES / "yolo_nano_voc_int8.onnx")
        build.build(nano, tmp_path / "n.plan", BuildOptions(precision, root=options.root))
    assert "--precision fp16" in str(caught.value.hint) and not kept.exists()


def test_what_its_parser_cannot_know_is_named_before_the_child_starts(board, tmp_path):
    kept = board("8.0")
    model = chain(onnx.helper.make_node("HardSwish", ["images"], ["y"], name="swish"))
    onnx.save(model, tmp_path / "m.onnx")
    spec = source(ENGINES / "yolo_nano_voc.onnx").spec
    with pytest.raises(ModelError, match="reads opset 13, the file has 17: HardSwish swish does not exist") as caught:
        build.build(build.BuildInput(str(tmp_path / "m.onnx"), model, spec), tmp_path / "n.plan", BuildOptions("fp16"))
    assert "opset 13" in str(caught.value.hint) and not kept.exists()


@pytest.mark.parametrize("version", tensorrt_api.WEAK)
def test_a_failed_int8_build_names_fp16(board, tmp_path, version):
    board(version, unbuildable=True)
    with pytest.raises(ModelError, match="cannot build") as caught:
        build.build(source(ENGINES / "yolo_nano_voc_int8.onnx"), tmp_path / "n.plan", BuildOptions("int8+fp16"))
    assert "--precision fp16" in str(caught.value.hint) and not list(tmp_path.glob("n.plan*"))
