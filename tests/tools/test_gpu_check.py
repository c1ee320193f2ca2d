"""The checks that need a GPU: here over the stand-ins, and with `-m gpu` on the real one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.gpu import cuda, packing
from edge_runtime.prove import kernels
from tests.standins.cuda import Gpu, install

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import gpu_check


@pytest.fixture
def gpu(monkeypatch) -> Gpu:
    gpu = Gpu()
    install(monkeypatch, gpu)
    return gpu


def test_the_checks_themselves(gpu, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gpu_check, "WARM", -498)
    monkeypatch.setattr(kernels, "SIZES", ((64, 48), (1, 1)))
    said = [
        "--only",
        "letterbox",
        "decoding",
        "device_loop",
        "loop",
        "stages",
        "--frames",
        "2",
        "--output",
        str(tmp_path / "t.json"),
    ]
    assert gpu_check.main(said) == 1, capsys.readouterr().out
    rows = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["rows"]
    wrong = {line["what"] for line in rows if line["good"] is False}
    wrong.discard("2 frames: host memory taken, KiB")  # the stand-in's threads have stacks
    assert len(rows) == 47 and wrong == {"decode + NMS, the same calls as a graph: median us"}, "the stand-in's clock"
    assert not gpu.held and not gpu.contexts and not gpu.left


def test_a_wrong_kernel_is_found(gpu, monkeypatch, capsys):
    """A check that cannot fail checks nothing."""
    monkeypatch.setattr(kernels, "SIZES", ((64, 48),))
    monkeypatch.setattr(kernels.ops, "prepare_image", lambda image, spec, out: out.fill(1.0))
    assert gpu_check.main(["--only", "letterbox"]) == 1 and "MISSED" in capsys.readouterr().out


def test_a_loop_that_reads_elsewhere_is_found(gpu, monkeypatch, capsys):
    right = packing.layout_of
    monkeypatch.setattr(packing, "layout_of", lambda picture, spec: right(picture, replace(spec, resize="letterbox")))
    assert gpu_check.main(["--only", "device_loop"]) == 1 and capsys.readouterr().out.count("MISSED") == 2


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(cuda, "missing", lambda: "there is no CUDA driver")
    assert gpu_check.main([]) == 1 and "error: there is no CUDA driver" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(cuda.missing() is not None, reason=str(cuda.missing()))
@pytest.mark.parametrize("name", gpu_check.CHECKS)
def test_on_the_gpu(name, tmp_path):
    assert gpu_check.main(["--only", name, "--frames", "2000"]) == 0
