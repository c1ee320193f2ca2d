"""OpenVINO leaves the process as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from tests.tiny import boxes_v8, write_onnx

pytest.importorskip("openvino")
CLOSED = """
import gc, signal, sys
from edge_runtime import Detector
models = [Detector.open(sys.argv[1], family="yolo_v8", labels="a,b,c", backend="openvino") for _ in range(3)]
for number in {order}:
    models[number].close()
    models[number] = None
    gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("heard"))
signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.parametrize("order", [[], [2, 1, 0], [0, 1, 2], [1, 0, 2]])
def test_a_signal_is_heard_after_models_were_closed_in_any_order(order: List[int], tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    command = [sys.executable, "-c", CLOSED.format(order=order), str(path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard\n", "")
