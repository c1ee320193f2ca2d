"""The builder's calls, over the names that each TensorRT version has."""

from __future__ import annotations

import json

import onnx
import pytest

from edge_runtime import trt, zoo
from edge_runtime.build import worker
from edge_runtime.build.job import Job
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from tests.standins import tensorrt_api

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
    assert ("set_memory_pool_limit", ("WORKSPACE", 1 << 28)) in lib.calls
    assert ("build_serialized_network", ("DETAILED",)) in lib.calls
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == ([] if version == "8.5" else [{"fraction": 0.5, "phase": "Building engine"}])


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_precision_is_flags_where_typing_is_weak_alone(stand_in, job, version):
    lib = stand_in(version)
    worker.Builder(job).build()
    assert flags(lib) == (["FP16", "INT8"] if version == "8.5" else [])
    wanted = {"8.5": 1, "10.3": 0b11, "10.13": 0b11, "11": 1, "rtx": 1}[version]
    assert {arguments[0] for name, arguments in lib.calls if name == "create_network"} == {wanted}


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
    with pytest.raises(ModelError, match="node 3: input and" if version == "8.5" else "Conv conv1: input and"):
        worker.Builder(job).build()


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_no_plan_is_an_error(stand_in, job, tmp_path, version):
    stand_in(version, unbuildable=True)
    with pytest.raises(ModelError, match="cannot build"):
        worker.Builder(job).build()
    assert not (tmp_path / "n.plan").exists()


def test_dla(stand_in, job):
    lib = stand_in("8.5")
    worker.Builder(Job(**{**json.loads(job.to_json()), "dla": 1})).build()
    assert "GPU_FALLBACK" in flags(lib)
    with pytest.raises(UsageError, match="no DLA core 2: this machine has 2"):
        worker.Builder(Job(**{**json.loads(job.to_json()), "dla": 2})).build()


def test_errors_are_said_as_lines(stand_in, job, tmp_path, capsys):
    stand_in("10.3", unbuildable=True)
    (tmp_path / "job.json").write_text(job.to_json())
    assert worker.main([str(tmp_path / "job.json")]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "cannot build" in said["error"] and said["hint"]
