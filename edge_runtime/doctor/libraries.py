"""The doctor's checks of libraries: one small function for each line of the report.

This file needs the standard library only, because anything else may be missing. What is tried with a library is in
`trials`, which runs in a child process. `root` stands for `/`. `quick` only loads the library.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Optional, Tuple

from edge_runtime.doctor import machine
from edge_runtime.doctor.check import Check
from edge_runtime.doctor.trial import TrialOutcome, attempt
from edge_runtime.gpu import kernels, trt
from edge_runtime.jetson import board
from edge_runtime.libraries.extras import install_hint

BUILD_LIMIT_S = 180.0  # the first build of a session loads gigabytes of kernels from a memory card
SYSTEM_OPENCV = "sudo apt install libopencv-python, and a venv made with --system-site-packages"
HIDDEN = "pip uninstall opencv-python opencv-python-headless: they hide the system's OpenCV, which has GStreamer"
ON_GPU = "it runs on the processor: for the GPU, make a plan with edge-build"
TWO_ORT = "pip uninstall onnxruntime onnxruntime-gpu, then install one of them: they overwrite each other's files"


def python(root: Path) -> Check:
    """The interpreter. It runs this code, so it is new enough."""
    return Check("Python", True, f"{platform.python_version()} ({sys.executable}), {platform.machine()}")


def numpy(root: Path) -> Check:
    """Needed by everything."""
    module, reason = _imported("numpy")
    return Check("numpy", False, reason, "pip install numpy") if reason else Check("numpy", True, module.__version__)


def native_core(root: Path) -> Check:
    """The compiled part and the instruction sets it can use."""
    core, reason = _imported("edge_runtime.native._core")
    if reason:
        return Check("native core", False, reason, "pip install . in the checkout; it needs a C++ compiler")
    return Check("native core", True, ", ".join(core.simd_levels()))


def opencv(root: Path, quick: bool = False) -> Check:
    """Reads and writes images and video. On a Jetson, the system's OpenCV has GStreamer. The one from pip does not."""
    jetson = board.is_jetson(root)
    if not _installed("cv2"):
        return Check("OpenCV", False, "not installed", SYSTEM_OPENCV if jetson else install_hint("cpu"))
    found = attempt("cv2", root, quick)
    hidden = HIDDEN if jetson and "GStreamer no" in found.detail else None
    return Check("OpenCV", len(found.said) >= (1 if quick else 2), found.detail, found.fix or hidden)


def pyav(root: Path, quick: bool = False) -> Check:
    """Reads videos, streams and cameras, and writes videos. Without it, OpenCV does."""
    if not _installed("av"):
        return Check("PyAV", False, "not installed, OpenCV reads and writes videos", install_hint("video"), absent=True)
    return _tried("PyAV", attempt("pyav", root, quick))


def onnxruntime(root: Path, quick: bool = False) -> Check:
    """The backend for any machine, with the providers that really run."""
    packages = [name for name in ("onnxruntime", "onnxruntime-gpu") if _distribution(name)]
    if not _installed("onnxruntime"):
        return Check("onnxruntime", False, "not installed", "pip install onnxruntime")
    found = attempt("onnxruntime", root, quick)
    fix = found.fix or (ON_GPU if not quick and board.is_jetson(root) and "CUDA" not in found.detail else None)
    check = Check("onnxruntime", len(found.said) >= (1 if quick else 2), found.detail, fix)
    return replace(check, fix=TWO_ORT) if len(packages) == 2 and found.reason else check


def openvino(root: Path, quick: bool = False) -> Check:
    """The faster backend on Intel processors."""
    if not _installed("openvino"):
        return Check("openvino", False, "not installed", install_hint("openvino"), absent=True)
    return _tried("openvino", attempt("openvino", root, quick))


def tensorrt(root: Path, quick: bool = False) -> Check:
    """TensorRT or TensorRT-RTX for this Python, or the place of a copy that this Python does not see."""
    if any(map(_installed, trt.MODULES)):
        return _tried("TensorRT", attempt("tensorrt", root, quick, BUILD_LIMIT_S))
    copies = sorted(root.glob("usr/lib/python3*/dist-packages/tensorrt"))
    if copies:
        system_python = f"/usr/bin/{copies[-1].parts[-3]}"
        return Check(
            "TensorRT",
            False,
            f"installed for {system_python}, not visible to this interpreter",
            f"{system_python} -m venv --system-site-packages VENV, then install edge-runtime there",
        )
    fix = "sudo apt install python3-libnvinfer" if board.is_jetson(root) else install_hint("rtx")
    return Check("TensorRT", False, "not installed", fix, absent=not machine.has_gpu(root))


def pycuda(root: Path, quick: bool = False) -> Check:
    """CUDA from Python, for the TensorRT backend. Its driver module needs libcuda."""
    if _installed("pycuda"):
        return _tried("pycuda", attempt("pycuda", root, quick))
    path = f"{machine.ADD_TO_PATH}, then " if machine.off_path(root) else ""
    fix = f"{path}{install_hint('tensorrt')}"
    return Check("pycuda", False, "not installed", fix, absent=not machine.has_gpu(root))


def kernel_compiler(root: Path, quick: bool = False) -> Check:
    """The compiler that builds our CUDA kernels when a plan is opened."""
    found = attempt("kernel_compiler", root, quick)
    none = found.reason == kernels.NONE
    return replace(_tried("kernels", found), absent=none and not machine.has_gpu(root))


def gstreamer(root: Path, quick: bool = False) -> Check:
    """For CSI cameras and a Jetson's video hardware."""
    if not _installed("gi"):
        reason, fix = "PyGObject not installed", install_hint("stream")
        return Check("GStreamer", False, reason, fix, absent=not board.is_jetson(root))
    return _tried("GStreamer", attempt("gstreamer", root, quick))


def paho(root: Path) -> Check:
    """For events to an MQTT broker."""
    check = _output("paho-mqtt", "paho.mqtt.client", "mqtt", "mqtt://, mqtts://")
    if check.ok and not hasattr(import_module("paho.mqtt.client"), "CallbackAPIVersion"):
        return replace(check, ok=False, detail=f"{check.detail}; older than 2.0", fix=install_hint("mqtt"))
    return check


def h11(root: Path) -> Check:
    """For what is served over HTTP: the page, and metrics."""
    return _output("h11", "h11", "page", "http://, prometheus://")


def prometheus(root: Path) -> Check:
    """For metrics."""
    return _output("prometheus-client", "prometheus_client", "prometheus", "prometheus://")


def _output(package: str, module: str, extra: str, outputs: str) -> Check:
    """A library that only some outputs need."""
    name = package.replace("-client", "")
    if not _installed(module.split(".")[0]):
        return Check(name, False, f"not installed, for the output {outputs}", install_hint(extra), absent=True)
    reason = _imported(module)[1]
    if reason:
        return Check(name, False, reason, f"pip install --force-reinstall {package}")
    return Check(name, True, f"{_distribution(package)}, for the output {outputs}")


def _tried(name: str, found: TrialOutcome) -> Check:
    return Check(name, not found.reason, found.detail, found.fix)


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: something prevents its import
        return False


def _distribution(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _imported(name: str) -> Tuple[Any, str]:
    """A module and "", or None and the reason. A broken library may raise any exception."""
    if not _installed(name.split(".")[0]):
        return None, "not installed"
    try:
        return import_module(name), ""
    except Exception as error:
        reason = str(error).strip().splitlines()
        return None, f"cannot be imported: {reason[0] if reason else type(error).__name__}"
