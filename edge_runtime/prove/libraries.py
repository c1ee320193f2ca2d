"""Loads one library the way the product does, and does a little with it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Callable, Dict

import numpy as np

from edge_runtime import cuda, opencv, trt
from edge_runtime.errors import BackendUnavailable
from edge_runtime.extras import install_hint
from edge_runtime.prove.basics import module
from edge_runtime.prove.steps import Skip, Task
from edge_runtime.sources import _gst

ELEMENTS = ("nvarguscamerasrc", "nvvidconv", "nvv4l2decoder", "v4l2src", "videoconvert", "appsink")


def prove(task: Task) -> str:
    """Version and particulars.

    Raises:
        Skip: it is not installed.
        BackendUnavailable: it does not load.
    """
    return LIBRARIES[task.argument](task)


def _opencv(task: Task) -> str:
    """A picture is written and read: numpy and OpenCV must have been made for each other."""
    if find_spec("cv2") is None:
        raise Skip("OpenCV is not installed", "edge-doctor says how to get it")
    cv2, picture = opencv.load_cv2(), np.full((16, 16, 3), 90, np.uint8)
    good, data = cv2.imencode(".png", picture)
    if not good or not np.array_equal(cv2.imdecode(data, cv2.IMREAD_COLOR), picture):
        raise BackendUnavailable("OpenCV does not give back a picture that it wrote", hint="install it anew")
    task.figures["version"] = cv2.__version__
    return str(cv2.__version__)


def _onnxruntime(task: Task) -> str:
    if find_spec("onnxruntime") is None:
        raise Skip("ONNX Runtime is not installed, and boxes are compared with its own", "pip install onnxruntime")
    loaded = module("onnxruntime", task)
    task.figures["providers"] = loaded.get_available_providers()
    return str(loaded.__version__)


def _openvino(task: Task) -> str:
    if find_spec("openvino") is None:
        raise Skip("OpenVINO is not installed; it is for Intel's processors")
    return str(module("openvino", task).__version__)


def _gstreamer(task: Task) -> str:
    if find_spec("gi") is None:
        raise Skip("PyGObject is not installed; CSI cameras need it", install_hint("stream"))
    version = _gst.load().version_string()
    found = [name for name in ELEMENTS if _gst.has(name)]
    task.figures.update(version=version, elements=found)
    return f"{version.split()[-1]} with {', '.join(found) or 'none of the elements that are used'}"


def _tensorrt(task: Task) -> str:
    reason = trt.missing()
    if reason:
        raise Skip(reason)
    trt.library()
    task.figures["version"] = trt.version()
    return trt.version()


def _pycuda(task: Task) -> str:
    """Pycuda opens the GPU."""
    reason = cuda.missing()
    if reason:
        raise Skip(reason)
    device = cuda.Device()
    try:
        free, total = device.free_memory()
        task.figures.update(integrated=device.integrated, free_mib=free >> 20, total_mib=total >> 20)
        shares = "shares the host's memory" if device.integrated else "has memory of its own"
        return f"opens the GPU, which {shares}: {free >> 20} of {total >> 20} MiB are free"
    finally:
        device.close()


LIBRARIES: Dict[str, Callable[[Task], str]] = {
    "OpenCV": _opencv, "ONNX Runtime": _onnxruntime,
    "OpenVINO": _openvino, "GStreamer": _gstreamer, "TensorRT": _tensorrt, "pycuda": _pycuda,
}  # fmt: skip
