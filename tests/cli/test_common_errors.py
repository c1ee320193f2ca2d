"""What the commands say of libraries that fail: the same as edge-doctor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Tuple

import numpy as np
import onnx
import pytest
from onnx import helper

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *arguments: str, **environment: str) -> Tuple[int, str]:
    """A command's exit code and stderr, with the modules of a folder before the real ones."""
    paths = os.pathsep.join([str(folder), str(ROOT), str(ROOT / "tests")])
    env = {**os.environ, "PYTHONPATH": paths, **environment}
    command = [sys.executable, "-m", f"edge_runtime.cli.{arguments[0]}", *arguments[1:]]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=env, cwd=folder, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder with a float detector, model.onnx: YOLOv8's shapes, two classes, no weights to speak of."""
    x = helper.make_tensor_value_info("images", 1, [1, 3, 32, 32])
    y = helper.make_tensor_value_info("output0", 1, [1, 6, 21])
    weights = helper.make_tensor("w", 1, [3072, 126], np.zeros((3072, 126), np.float32).tobytes(), raw=True)
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["row"]),
        helper.make_node("Reshape", ["row", "shape"], ["output0"]),
    ]
    shape = helper.make_tensor("shape", onnx.TensorProto.INT64, [3], [1, 6, 21])
    body = helper.make_graph(nodes, "plain", [x], [y], [weights, shape])
    onnx.save(
        helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "model.onnx"
    )
    return tmp_path


def test_tensorrt_that_does_not_load(plain: Path) -> None:
    (plain / "tensorrt.py").write_text(
        "raise ImportError('libnvdla_compiler.so: cannot open shared object file')\n", encoding="utf-8"
    )
    code, said = run(plain, "build", "model.onnx", "-o", "model.plan", "--precision", "fp32")
    assert code == 1 and "the compiler of the DLA, which is not here\n" in said and "Traceback" not in said
    assert "hint: sudo apt install nvidia-l4t-dla-compiler" in said


def test_tensorrt_that_was_not_built_for_this_gpu(plain: Path) -> None:
    (plain / "tensorrt.py").write_text(
        "from types import SimpleNamespace\nfrom standins import tensorrt_api\n"
        "lib = tensorrt_api.module('10.3', unbuildable=True)\nglobals().update(vars(lib))\n"
        "def Builder(log):\n    log.log(SimpleNamespace(name='ERROR'), 'Target GPU SM 87 is not supported')\n",
        encoding="utf-8",
    )
    code, said = run(plain, "build", "model.onnx", "-o", "model.plan", "--precision", "fp32")
    assert code == 1 and "does not start: Target GPU SM 87 is not supported; this TensorRT was not built" in said
    assert "python3-libnvinfer" in said and "Traceback" not in said


def test_opencv_that_does_not_load(plain: Path) -> None:
    (plain / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n", encoding="utf-8")
    code, said = run(plain, "detect", "--engine", "model.onnx", "--images", str(plain / "no.jpg"))
    assert code == 1 and "libgl1" in said and "Traceback" not in said


@pytest.mark.parametrize("flags", [("--camera", "0"), ("--source", "0"), ("--source", "/dev/video0")])
def test_a_csi_sensor_is_not_taken_for_a_usb_camera(plain: Path, flags: Tuple[str, str]) -> None:
    (plain / "dev").mkdir()
    (plain / "dev/video0").touch()
    about = plain / "sys/class/video4linux/video0"
    about.mkdir(parents=True)
    (about / "name").write_text("vi-output, imx219 9-0010\n", encoding="utf-8")
    code, said = run(plain, "detect", "--engine", "model.onnx", *flags, EDGE_SYSROOT=str(plain))
    assert code == 1 and "hint: use csi://0\n" in said
