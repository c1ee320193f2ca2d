"""What the messages of a failing library mean, and what to do. edge-doctor and our own errors share this table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

GROUPS = "sudo usermod -aG video,render $USER, then log in again; in a container --group-add with the host's numbers"
ARGUS = "sudo systemctl restart nvargus-daemon; in a container also -v /tmp/argus_socket:/tmp/argus_socket"
REGISTRY = "rm -f ~/.cache/gstreamer-1.0/registry.*.bin"  # there GStreamer remembers elements that once failed to load
DRIVER = "install the NVIDIA driver; in a container --runtime nvidia on a Jetson, --gpus all elsewhere"
SWAP = "sudo fallocate -l 8G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
TOOLKIT = "on a Jetson sudo apt install nvidia-jetpack; elsewhere install that version of CUDA"

# (words, why, what to do). {0} is the text that the first pair of brackets matched. The first match counts, so special
# cases come before general ones.
TABLE: Tuple[Tuple[str, str, str], ...] = (
    (r"libnvdla_compiler\.so", "TensorRT of JetPack 5 and 6 needs the compiler of the DLA, which is not here",
     "sudo apt install nvidia-l4t-dla-compiler, for a container on its host; JetPack 7.2 has none: "
     "use a container that was made for it"),
    (r"Target GPU SM \d+ is not supported", "this TensorRT was not built for this GPU; that of servers (SBSA) was not "
     "built for an Orin", "on a Jetson use JetPack's own: sudo apt install python3-libnvinfer, or an l4t image"),
    (r"does not support this compute capability", "TensorRT-RTX is for GPUs of desktops, not of data centres",
     "use TensorRT itself on this GPU, or the ONNX file with onnxruntime-gpu"),
    (r"(\S+\.so[\w.]*): cannot allocate memory in static TLS block",
     "libraries that were loaded before it used up the memory that it needs",
     f"export LD_PRELOAD={{0}}; where GStreamer is concerned, also {REGISTRY}"),
    (r"_ARRAY_API not found|compiled using NumPy 1\.x",
     "it was built for numpy 1, and numpy 2 is here", "pip install 'numpy<2'"),
    (r"compiled against A[PB]I version \w+ but this version of numpy|numpy\.dtype size changed",
     "it was built for another numpy than the one that is here", "pip install --upgrade 'numpy<2'"),
    (r"numpy\.core\.(?:multiarray|umath) failed to import|built for another numpy",
     "it was built for another numpy than the one that is here, most likely numpy 1", "pip install 'numpy<2'"),
    (r"gapi_wip|cv2\.dnn.*DictValue|partially initialized module 'cv2'",
     "several OpenCV packages overwrite each other's files",
     "pip uninstall opencv-python opencv-python-headless opencv-contrib-python, then install one of them"),
    (r"lib(?:GL|EGL|SM|Xext|Xrender|gthread-2\.0|glib-2\.0)\.so", "this OpenCV shows windows, and needs a desktop's "
     "libraries", "sudo apt install libgl1 libglib2.0-0, or take opencv-python-headless"),
    (r"libopencv_\w+\.so", "OpenCV's Python module is here, but not its libraries of that version",
     "sudo apt install --reinstall libopencv libopencv-python"),
    (r"libcuda\.so\.1\b", "the NVIDIA driver is not visible", DRIVER),
    (r"lib(?:nvinfer|nvonnxparser|nvparsers)\w*\.so", "TensorRT's Python module is here, but not its libraries of "
     "that version", "on a Jetson sudo apt install tensorrt; else install both of one version"),
    (r"lib(?:cudart|cublas|cudnn|cufft|curand|nvrtc|nvJitLink|cusparse|cusolver)\w*\.so",
     "CUDA's library of that version is not here", TOOLKIT),
    (r"libnv\w+\.so[\w.]*: (?:cannot open|file too short)", "it belongs to Jetson Linux, and is not here",
     "in a container --runtime nvidia; else sudo apt install nvidia-l4t-core nvidia-l4t-cuda nvidia-l4t-multimedia"),
    (r"GLIBC(?:XX)?_[\d.]+'? not found", "it was built for a newer system",
     "install the package that was made for this release"),
    (r"NvRmMem\w* ?\w* failed|/dev/nv\S+.*[Pp]ermission denied", "this user may not use the GPU", GROUPS),
    (r"Connecting to nvargus-daemon failed|Cannot create camera provider|Failed to create CameraProvider",
     "the camera service nvargus-daemon does not run, or cannot be reached from here", ARGUS),
    (r"No cameras available", "Argus knows no CSI camera",
     "check its cable, and its entry in the device tree: sudo /opt/nvidia/jetson-io/jetson-io.py"),
    (r"cannot find compiler|g\+\+: not found|gcc: not found|cc1plus", "nvcc needs a C++ compiler",
     "sudo apt install g++, or pip install nvidia-cuda-nvrtc"),
    (r"no CUDA-capable device", "no NVIDIA GPU is visible", f"nvidia-smi says more; {DRIVER}"),
    (r"driver version is insufficient|cudaErrorInsufficientDriver|failure with error: 35\b|cudaError 35\b",
     "the NVIDIA driver is missing, or older than this CUDA", "update the driver, or install what was made for it"),
    (r"no kernel image is available", "it was not built for this GPU", "install the version made for this GPU"),
    (r"bad_alloc|[Cc]annot allocate memory|Out of memory|OutOfMemory", "memory ran out",
     "close other programs, or add swap: edge-doctor says how much there is"),
    (r"No module named '(numpy|onnx|rich|tomli)'", "a package that edge-runtime needs is not installed",
     "pip install {0}"),
    (r"undefined symbol", "it was built for another version of a library than the one that is here",
     "reinstall it for the versions that are here"),
)  # fmt: skip


@dataclass(frozen=True)
class Cause:
    """Why something failed.

    Attributes:
        why: in plain words.
        fix: what to do about it.
    """

    why: str
    fix: str


def find_cause(text: str) -> Optional[Cause]:
    """The cause behind a library's message; None if it is not known."""
    for words, why, fix in TABLE:
        match = re.search(words, text)
        if match:
            return Cause(why, fix.format(*match.groups()))
    return None


def explain(fact: str, hint: Optional[str], said: str = "") -> Tuple[str, Optional[str]]:
    """Returns the message and the hint of an error. If the cause is known, they contain the cause and its fix.

    Args:
        said: other text that the library printed.
    """
    cause = find_cause(f"{fact}\n{said}")
    if cause is None or any(why in fact for _, why, _ in TABLE):  # not known, or said already
        return fact, hint
    return f"{fact}; {cause.why}", cause.fix
