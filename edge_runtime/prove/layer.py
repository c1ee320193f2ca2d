"""Builds a network of one layer with TensorRT and runs it, to see whether this TensorRT fits this GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import BackendOptions
from edge_runtime.backends.tensorrt import TensorRTBackend
from edge_runtime.build.job import Job
from edge_runtime.build.worker import Builder
from edge_runtime.errors import DeviceError
from edge_runtime.gpu import plan_file
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops
from edge_runtime.prove.compiler import own_cache
from edge_runtime.prove.steps import Task

SIDE, CHANNELS = 8, 4
SPEC = ModelSpec("yolo_v8", (SIDE, SIDE), ("any",))
TOLERANCE = 0.02  # TensorRT may round to TF32
WORKSPACE = 64 << 20


def prove(task: Task) -> str:
    """Returns how long the build took, and how exact the result is.

    Raises:
        ModelError: TensorRT does not build it.
        DeviceError: the GPU does not run it, or its result differs from numpy's.
    """
    own_cache(task)
    random = np.random.default_rng(0)
    weights = random.normal(size=(CHANNELS, 3, 1, 1)).astype(np.float32)
    image, given = random.integers(0, 256, (SIDE, SIDE, 3), np.uint8), np.zeros((3, SIDE, SIDE), np.float32)
    ops.prepare_image(image, SPEC, given)
    plan = Path(task.folder, "layer.plan")
    made = _build(task, weights, plan)
    task.figures.update(seconds=round(made["seconds"], 2), tensorrt=made["tensorrt"], layers=made["layers"])
    found = _run(plan, image)
    gap = float(np.abs(found[0] - np.einsum("oi,ihw->ohw", weights[:, :, 0, 0], given)).max())
    task.figures["largest_difference"] = gap
    if not gap <= TOLERANCE:
        raise DeviceError(f"one convolution is wrong by {gap:.3g}", hint="this TensorRT and this GPU do not fit")
    return f"{made['tensorrt']} built one convolution in {made['seconds']:.1f} s; it differs from numpy's by {gap:.1g}"


def _build(task: Task, weights: NDArray[np.float32], plan: Path) -> Dict[str, Any]:
    from onnx import TensorProto, helper, numpy_helper, save

    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, SIDE, SIDE])
        for name, channels in (("images", 3), ("out", CHANNELS))
    ]
    node = helper.make_node("Conv", ["images", "weights"], ["out"], kernel_shape=[1, 1])
    graph = helper.make_graph([node], "layer", ends[:1], ends[1:], [numpy_helper.from_array(weights, "weights")])
    onnx = str(plan.with_suffix(".onnx"))
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), onnx)
    made: Dict[str, Any] = json.loads(json.dumps(Builder(Job(onnx, str(plan), "fp32", WORKSPACE)).build()))
    return made


def _run(plan: Path, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    backend = TensorRTBackend(plan_file.load_plan(str(plan)), SPEC, None, BackendOptions(slots=1, zero_copy=False))
    try:
        backend.enqueue(0, [image])
        backend.wait(0)
        return np.array(backend.outputs(0)[0])
    finally:
        backend.close()
