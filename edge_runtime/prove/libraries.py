"""Tries one library as edge-doctor does: loads it as the product does, then lets it do one piece of its work."""

from __future__ import annotations

from itertools import islice
from typing import Callable, Dict, Iterator, Optional, Tuple

from edge_runtime.doctor import trials
from edge_runtime.gpu import cuda, trt
from edge_runtime.prove.basics import absent
from edge_runtime.prove.steps import Skip, Task

MISSING = "edge-doctor says how to get it"
# For each library: why it is missing, its trial, and how many results of the trial to take (all of them if None).
# TensorRT gives its version only, because building has its own step.
LIBRARIES: Dict[str, Tuple[Callable[[], Optional[str]], Callable[[], Iterator[str]], Optional[int]]] = {
    "OpenCV": (lambda: absent("cv2"), trials.cv2, None),
    "ONNX Runtime": (lambda: absent("onnxruntime"), trials.onnxruntime, None),
    "OpenVINO": (lambda: absent("openvino"), trials.openvino, None),
    "GStreamer": (lambda: absent("gi"), trials.gstreamer, None),
    "TensorRT": (trt.missing, trials.tensorrt, 1),
    "pycuda": (cuda.missing, trials.pycuda, None),
}


def prove(task: Task) -> str:
    """Returns the version, and what the library did.

    Raises:
        Skip: it is not installed.
        BackendUnavailable: it does not load, or does not work.
    """
    missing, trial, most = LIBRARIES[task.argument]
    reason = missing()
    if reason:
        raise Skip(reason, MISSING)
    task.figures["said"] = said = list(islice(trial(), most))
    return ", ".join(said)
