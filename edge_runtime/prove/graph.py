"""Checks that each plan is one CUDA graph, or says why not. Without a graph boxes are equal, but frames take longer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import DeviceError, EdgeError
from edge_runtime.gpu import cuda_driver
from edge_runtime.prove.compiler import own_cache
from edge_runtime.prove.steps import PLANS, Skip, Task

HINT = "the boxes are still right; the proof has the versions of TensorRT and driver: send it back"


def prove(task: Task) -> str:
    """Returns the plans that are captured.

    Raises:
        Skip: no plan was built.
        DeviceError: the driver or TensorRT refuses.
    """
    own_cache(task)
    for name in PLANS:
        path = Path(task.folder, name)
        if path.is_file():
            with Detector.open(str(path), options=BackendOptions(slots=1, zero_copy=False)) as detector:
                task.figures[name] = _refused(detector.backend) or "captured"
    if not task.figures:
        raise Skip("no plan was built")
    refused = [f"{name}: {said}" for name, said in task.figures.items() if said != "captured"]
    if refused:
        raise DeviceError(f"no CUDA graph, so calls are made one by one: {'; '.join(refused)}", hint=HINT)
    return f"captured of {' and '.join(task.figures)}"


def _refused(backend: Any) -> str:
    """Why there is no graph, found by another try; "" if there is one."""
    slot = backend._slots[0]
    if slot.captured:
        return ""

    def again() -> str:
        if not slot.capturable:
            return "TensorRT says that its engine cannot be captured"
        try:
            cuda_driver.Graph(slot.stream.handle, partial(slot.run, slot.batch)).close()
        except EdgeError as error:
            return str(error)
        return "refused when the plan was opened, but not now"

    return str(backend._owned(again))
