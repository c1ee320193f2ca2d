"""The libraries the doctor looks at: one small function per line of its report.

Nothing but the standard library is needed here, as anything else may be what is missing. `root` stands for `/`.
"""

from __future__ import annotations

import platform
import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Tuple

from edge_runtime import kernels
from edge_runtime.doctor.check import Check
from edge_runtime.errors import BackendUnavailable
from edge_runtime.jetson import board

INSTALL = "pip install 'edge-runtime[{}]'"


def python(root: Path) -> Check:
    """The interpreter; it runs, so it is recent enough."""
    return Check("Python", True, f"{platform.python_version()} ({sys.executable}), {platform.machine()}")


def numpy(root: Path) -> Check:
    """Needed by everything."""
    return _library("numpy", "pip install numpy")


def native_core(root: Path) -> Check:
    """The compiled part and the instruction sets it can use."""
    core, reason = _probe("edge_runtime._core")
    if core is None:
        return Check("native core", False, reason, "pip install . in the checkout; it needs a C++ compiler")
    return Check("native core", True, ", ".join(core.simd_levels()))


def onnxruntime(root: Path) -> Check:
    """The backend for any machine, with its execution providers."""
    module, reason = _probe("onnxruntime")
    if module is None:
        return Check("onnxruntime", False, reason, "pip install onnxruntime")
    providers = [name.replace("ExecutionProvider", "") for name in module.get_available_providers()]
    fix = None
    if board.is_jetson(root) and "CUDA" not in providers:
        fix = "onnxruntime-gpu has no aarch64 wheel on the index: use TensorRT, or NVIDIA's wheel for this JetPack"
    return Check("onnxruntime", True, f"{module.__version__}, providers {', '.join(providers)}", fix)


def opencv(root: Path) -> Check:
    """Reads and writes images and video; on a Jetson the system's has GStreamer and pip's has not."""
    module, reason = _probe("cv2")
    jetson = board.is_jetson(root)
    if module is None:
        system = "sudo apt install libopencv-python, and a venv made with --system-site-packages"
        return Check("OpenCV", False, reason, system if jetson else INSTALL.format("cpu"))
    info = module.getBuildInformation()
    gui = re.search(r"^\s*GUI:\s+(\S+)", info, re.M)
    headless = gui is None or gui.group(1) == "NONE"
    gstreamer = _has(info, "GStreamer")
    detail = (
        f"{module.__version__}, {'headless' if headless else 'with windows'}, "
        f"FFmpeg {'yes' if _has(info, 'FFMPEG') else 'no'}, GStreamer {'yes' if gstreamer else 'no'}"
    )
    shadowed = "pip uninstall opencv-python opencv-python-headless: they hide the system's OpenCV, which has GStreamer"
    return Check("OpenCV", True, detail, shadowed if jetson and not gstreamer else None)


def openvino(root: Path) -> Check:
    """The faster backend on Intel processors."""
    return _library("openvino", INSTALL.format("openvino"))


def tensorrt(root: Path) -> Check:
    """TensorRT or TensorRT-RTX as Python sees it, and where a copy is that it does not see."""
    for name, title in (("tensorrt", "TensorRT"), ("tensorrt_rtx_bindings", "TensorRT-RTX")):
        module, reason = _probe(name)
        if module is not None:
            return Check("TensorRT", True, f"{title} {module.__version__}")
        if reason != "not installed":
            return Check("TensorRT", False, f"{name} {reason}")
    copies = sorted(root.glob("usr/lib/python3*/dist-packages/tensorrt"))
    if copies:
        system_python = f"/usr/bin/{copies[-1].parts[-3]}"
        return Check(
            "TensorRT",
            False,
            f"installed for {system_python}, not visible to this interpreter",
            f"{system_python} -m venv --system-site-packages VENV, then install edge-runtime there",
        )
    fix = "sudo apt install python3-libnvinfer" if board.is_jetson(root) else INSTALL.format("rtx")
    return Check("TensorRT", False, "not installed", fix)


def pycuda(root: Path) -> Check:
    """CUDA from Python, for the TensorRT backend; its driver module needs libcuda."""
    module, reason = _probe("pycuda.driver")
    if module is None:
        return Check("pycuda", False, reason, INSTALL.format("tensorrt") if reason == "not installed" else None)
    return Check("pycuda", True, ".".join(map(str, module.get_version())))


def kernel_compiler(root: Path) -> Check:
    """What compiles our CUDA kernels when a plan is opened."""
    try:
        return Check("kernels", True, str(kernels.find().name))
    except BackendUnavailable as error:
        return Check("kernels", False, str(error), error.hint)


def gstreamer(root: Path) -> Check:
    """For CSI cameras and a Jetson's video hardware."""
    gi, reason = _probe("gi")
    if gi is None:
        return Check("GStreamer", False, f"PyGObject {reason}", INSTALL.format("stream"))
    try:
        gi.require_version("Gst", "1.0")
    except ValueError as error:
        return Check("GStreamer", False, str(error), "sudo apt install gir1.2-gstreamer-1.0 gstreamer1.0-plugins-good")
    return Check("GStreamer", True, import_module("gi.repository.Gst").version_string().split()[-1])


def _probe(name: str) -> Tuple[Any, str]:
    """An imported module and "", or None and the reason; a broken library may raise anything."""
    try:
        if find_spec(name.split(".")[0]) is None:
            return None, "not installed"
        return import_module(name), ""
    except Exception as error:
        reason = str(error).strip().splitlines()
        return None, f"cannot be imported: {reason[0] if reason else type(error).__name__}"


def _library(name: str, fix: str) -> Check:
    module, reason = _probe(name)
    return Check(name, False, reason, fix) if module is None else Check(name, True, module.__version__.split("-")[0])


def _has(build_information: str, name: str) -> bool:
    return re.search(rf"^\s*{name}:\s+YES", build_information, re.M) is not None
