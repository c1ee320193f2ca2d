"""A network of one layer, built by TensorRT and run on the GPU: does this TensorRT fit this GPU at all?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import numpy as np
from numpy.typing import NDArray

from edge_runtime import cuda
from edge_runtime.backends import _plan
from edge_runtime.build.job import Job
from edge_runtime.build.worker import Builder
from edge_runtime.errors import DeviceError
from edge_runtime.prove.steps import Task

SIDE, CHANNELS = 8, 4
TOLERANCE = 0.02  # TensorRT may round to TF32
WORKSPACE = 64 << 20


def prove(task: Task) -> str:
    """How long it took to build, and what it gives.

    Raises:
        ModelError: TensorRT does not build it.
        DeviceError: the GPU does not run it, or gives something else than numpy.
    """
    random = np.random.default_rng(0)
    weights = random.normal(size=(CHANNELS, 3, 1, 1)).astype(np.float32)
    image = random.normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    plan = Path(task.folder, "layer.plan")
    made = _build(task, weights, plan)
    task.figures.update(seconds=round(made["seconds"], 2), tensorrt=made["tensorrt"], layers=made["layers"])
    found = _run(plan, image)
    gap = float(np.abs(found - np.einsum("oi,bihw->bohw", weights[:, :, 0, 0], image)).max())
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


def _run(plan: Path, image: NDArray[np.float32]) -> NDArray[np.float32]:
    device = cuda.Device()
    try:
        engine = _plan.Engine(_plan.load(str(plan)), device.memory)
        context, stream = engine.context(), device.stream()
        out = device.pinned((1, CHANNELS, SIDE, SIDE), np.float32)
        at = {"images": device.upload(image, stream), "out": device.memory(out.nbytes)}
        for name, address in at.items():
            context.set_tensor_address(name, address)
        if not context.execute_async_v3(stream.handle):
            raise DeviceError("TensorRT does not run one layer", hint="edge-doctor shows the GPU's state")
        device.copy_out(out, at["out"], stream)
        device.finish(stream)
        del context
        engine.close()
        return np.array(out)
    finally:
        device.close()
