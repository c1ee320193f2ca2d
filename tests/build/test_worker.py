"""The builder's calls, over the names that each TensorRT version has."""

from __future__ import annotations

import json
from dataclasses import replace

import onnx
import pytest

from edge_runtime import zoo
from edge_runtime.build import worker
from edge_runtime.build.job import Job
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.gpu import cuda_driver, trt
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from tests.standins import tensorrt_api, tensorrt_engine

ARCHITECTURE = zoo.build("tiny_yolo_v3", VOC, 64)


@pytest.fixture(scope="module")
def network() -> onnx.ModelProto:
    return to_onnx(ARCHITECTURE, weights.random(ARCHITECTURE, 1))


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a version's stand-in in TensorRT's place."""

    def put(version: str, **how: bool):
        lib = tensorrt_api.module(version, **how)
        monkeypatch.setattr(trt, "library", lambda: lib)
        trt.log.cache_clear()
        return lib

    yield put
    trt.log.cache_clear()


@pytest.fixture
def job(network, tmp_path) -> Job:
    onnx.save(network, tmp_path / "n.onnx")
    files = [str(tmp_path / name) for name in ("n.onnx", "n.plan")]
    return Job(*files, "int8+fp16", 1 << 28, None, str(tmp_path / "t"), "SM86")


def flags(lib) -> list:
    return [arguments[0] for name, arguments in lib.calls if name == "set_flag"]


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_every_version_builds(stand_in, job, tmp_path, capsys, version):
    lib = stand_in(version)
    made = worker.Builder(job).build()
    assert (tmp_path / "n.plan").read_bytes() == b"plan"
    if version == "rtx":  # it measures nothing, and is told what to build for
        assert not (tmp_path / "t").exists() and ("set_compute_capability", ("SM86",)) in lib.calls
    else:
        assert (tmp_path / "t").read_bytes() == b"+"
    assert made["tensorrt"] == f"tensorrt{'_rtx' * (version == 'rtx')} {tensorrt_api.FULL[version]}"
    assert made["inputs"] == {"images": [1, 3, 64, 64]} and set(made["dtypes"].values()) == {"float32"}
    assert list(made["outputs"].values()) == [[1, 75, 4, 4], [1, 75, 2, 2]]
    old = version in ("8.0", "8.2")
    limit = ("max_workspace_size", (1 << 28,)) if old else ("set_memory_pool_limit", ("WORKSPACE", 1 << 28))
    assert limit in lib.calls
    assert ("build_serialized_network", ("VERBOSE" if version == "8.0" else "DETAILED",)) in lib.calls
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == ([] if version in tensorrt_api.WEAK else [{"fraction": 0.5, "phase": "Building engine"}])


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_layers_that_stay_float32_are_asked_for_where_typing_is_weak_alone(stand_in, job, network, version):
    lib, names = stand_in(version), [node.name for node in network.graph.node if node.op_type == "Conv"][:2]
    worker.Builder(replace(job, float32=names)).build()
    held = [arguments[0] for name, arguments in lib.calls if name == "set_output_type"]
    assert held == (names if version in tensorrt_api.WEAK else [])
    asked = {"STRICT_TYPES", "PREFER_PRECISION_CONSTRAINTS"} & set(flags(lib))
    assert len(asked) == (1 if version in tensorrt_api.WEAK else 0)


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_precision_is_flags_where_typing_is_weak_alone(stand_in, job, version):
    lib = stand_in(version)
    worker.Builder(job).build()
    user_memory = ["REQUIRE_USER_ALLOCATION"] * (version == "rtx")
    assert flags(lib) == (["FP16", "INT8"] if version in tensorrt_api.WEAK else user_memory)
    wanted = 0b11 if version.startswith("10") else 1
    assert {arguments[0] for name, arguments in lib.calls if name == "create_network"} == {wanted}


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_sparse_kernels_are_tried_where_weights_suit_them(stand_in, job, version):
    lib = stand_in(version)
    worker.Builder(job).build()
    assert "SPARSE_WEIGHTS" not in flags(lib)
    worker.Builder(replace(job, sparse=True)).build()
    assert "SPARSE_WEIGHTS" in flags(lib)


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_unsupported_operators_are_named_before_anything_is_parsed(stand_in, job, network, version):
    lib = stand_in(version, unsupported=True)
    with pytest.raises(ModelError) as caught:
        worker.Builder(job).build()
    node = network.graph.node[0]
    assert f"does not support {node.op_type} {node.name or node.output[0]} (1 in all)" in str(caught.value)
    assert "parse" not in tensorrt_api.names(lib.calls)


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_what_cannot_be_read_is_named(stand_in, job, version):
    stand_in(version, unreadable=True)
    with pytest.raises(
        ModelError, match="node 3: input" if version in tensorrt_api.WEAK else "Conv conv1: input"
    ) as caught:
        worker.Builder(job).build()
    assert "export" in str(caught.value.hint) and "--precision fp16" in str(caught.value.hint)


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_no_plan_is_an_error(stand_in, job, tmp_path, version):
    stand_in(version, unbuildable=True)
    with pytest.raises(ModelError, match="cannot build") as caught:
        worker.Builder(job).build()
    assert "--precision fp16" in str(caught.value.hint) and not (tmp_path / "n.plan").exists()


@pytest.mark.parametrize(
    ("precision", "other"), [("int8", "fp16"), ("int8+fp16", "fp16"), ("fp16", "fp32"), ("fp32", "fp16")]
)
def test_another_precision_is_named_where_one_fails(precision, other):
    assert Job("", "", precision, 1).way_out == f"try --precision {other}"


@pytest.mark.parametrize("version", tensorrt_api.WEAK)
def test_int8_on_a_gpu_without_it_is_refused_before_anything_is_parsed(stand_in, job, version):
    lib = stand_in(version, int8=False)
    with pytest.raises(UsageError, match="does not compute in INT8") as caught:
        worker.Builder(job).build()
    assert "--precision fp16" in str(caught.value.hint) and "parse" not in tensorrt_api.names(lib.calls)
    worker.Builder(Job(**{**json.loads(job.to_json()), "precision": "fp16"})).build()


def opens(monkeypatch, content: bytes = b"") -> bytes:
    """A GPU is here, and a plan that opens on it."""
    monkeypatch.setattr(cuda_driver, "compute_capability", lambda: "8.7")
    return content or tensorrt_api.plan({"x": ((1, 3, 8, 8), "float32")}, lambda x, y: None, None)


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_where_a_gpu_is_the_engine_says_what_its_layers_read(stand_in, job, monkeypatch, version):
    stand_in(version, content=opens(monkeypatch))
    made = worker.Builder(job).build()
    known = {"float16": 1, "float32": 1} if version != "8.0" else {}  # it has no inspector
    assert made["layers"] == made["convolutions"] == known


@pytest.mark.parametrize("content", [b"plan", b""])
def test_where_the_engine_does_not_open_the_builder_says_it(stand_in, job, monkeypatch, content):
    said = "Engine Layer Information:\nLayer(CaskConvolution): c, Tactic: 0x1, x[Int8(1,3,8,8)] -> y[Half(1,8,8,8)]"
    lib = stand_in("8.5", content=opens(monkeypatch, content))
    builder = worker.Builder(job)
    real = lib.Builder(None).build_serialized_network
    builder._builder.__dict__["build_serialized_network"] = lambda *what: (
        builder._log.log("VERBOSE", said) or real(*what)
    )
    if not content:
        monkeypatch.setattr(tensorrt_engine, "LISTING", '{"Layers": ["c"]}')  # names alone
    assert builder.build()["convolutions"] == {"int8": 1}


def test_dla(stand_in, job):
    lib = stand_in("8.5")
    worker.Builder(Job(**{**json.loads(job.to_json()), "dla": 1})).build()
    assert "GPU_FALLBACK" in flags(lib)
    for core in (2, -1):
        with pytest.raises(UsageError, match=f"no DLA core {core}: this machine has 2"):
            worker.Builder(Job(**{**json.loads(job.to_json()), "dla": core})).build()


@pytest.mark.parametrize("version", ["8.0", "10.13", "11", "rtx"])
def test_where_there_is_no_dla_it_is_said(stand_in, job, version):
    stand_in(version)
    with pytest.raises(
        UsageError, match=f"no DLA core 0: tensorrt.* {tensorrt_api.FULL[version]} finds none"
    ) as caught:
        worker.Builder(Job(**{**json.loads(job.to_json()), "dla": 0})).build()
    assert "build without --dla" in str(caught.value.hint) and "10.7" in str(caught.value.hint)


def test_errors_are_said_as_lines(stand_in, job, tmp_path, capsys):
    stand_in("10.3", unbuildable=True)
    (tmp_path / "job.json").write_text(job.to_json(), encoding="utf-8")
    assert worker.main([str(tmp_path / "job.json")]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "cannot build" in said["error"] and said["hint"]
