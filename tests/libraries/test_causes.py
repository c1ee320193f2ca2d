"""What libraries say when they fail, word for word, and the cause that is found in it."""

from __future__ import annotations

import pytest

from edge_runtime.libraries import causes

SAID = [
    ("libnvdla_compiler.so: cannot open shared object file: No such file or directory", "nvidia-l4t-dla-compiler"),
    ("/usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so: file too short", "JetPack 7.2 has none"),
    ("[TRT] Target GPU SM 87 is not supported by this TensorRT release.", "python3-libnvinfer"),
    ("Error Code 6: API Usage Error (The engine cannot run on this GPU, which has compute capability 9.0. Supported "
     "compute capabilities: 8.0 8.6 8.9 12.0 12.1 >12.0. TensorRT-RTX does not support this compute capability, so the "
     "engine cannot be rebuilt for it.", "onnxruntime-gpu"),
    ("/usr/lib/aarch64-linux-gnu/libgomp.so.1: cannot allocate memory in static TLS block",
     "export LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1;"),
    ("/lib/aarch64-linux-gnu/libGLdispatch.so.0: cannot allocate memory in static TLS block", "registry"),
    ("torch.libs/libgomp-d22c30c5.so.1.0.0: cannot allocate memory in static TLS block", "libgomp-d22c30c5.so.1.0.0"),
    ("AttributeError: _ARRAY_API not found", "'numpy<2'"),
    ("A module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.2.6", "'numpy<2'"),
    ("numpy.core.multiarray failed to import", "'numpy<2'"),
    ("module compiled against API version 0x10 but this version of numpy is 0xd", "--upgrade"),
    ("numpy.dtype size changed, may indicate binary incompatibility. Expected 96, got 88", "--upgrade"),
    ("module 'cv2' has no attribute 'gapi_wip_gst_GStreamerPipeline'", "pip uninstall opencv-python"),
    ("libGL.so.1: cannot open shared object file: No such file or directory", "libgl1"),
    ("libopencv_core.so.4.5d: cannot open shared object file: No such file or directory", "libopencv-python"),
    ("libcuda.so.1: cannot open shared object file: No such file or directory", "--runtime nvidia"),
    ("libnvinfer.so.8: cannot open shared object file: No such file or directory", "tensorrt"),
    ("Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object",
     "nvidia-jetpack"),
    ("libcurand.so.10: cannot open shared object file: No such file or directory", "nvidia-jetpack"),
    ("libnvbufsurface.so.1.0.0: cannot open shared object file: No such file", "nvidia-l4t-multimedia"),
    ("/lib/libc.so.6: version `GLIBC_2.34' not found (required by libx.so)", "this release"),
    ("/lib/libstdc++.so.6: version `GLIBCXX_3.4.29' not found", "this release"),
    ("NvRmMemInitNvmap failed with Permission denied", "video,render"),
    ("Error FileOperationFailed: Connecting to nvargus-daemon failed: No such file or directory", "argus_socket"),
    ("Error generated. execute:751 No cameras available", "jetson-io"),
    ("nvcc fatal : Failed to preprocess host compiler properties.\nsh: 1: g++: not found", "sudo apt install g++"),
    ("cuInit failed: no CUDA-capable device is detected", "nvidia-smi"),
    ("CUDA initialization failure with error: 35", "driver"),
    ("no kernel image is available for execution on the device", "this GPU"),
    ("std::bad_alloc", "swap"),
    ("No module named 'onnx'", "pip install onnx"),
    ("/usr/lib/libx.so: undefined symbol: _ZN2cv3MatC1Ev", "reinstall"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fix"), SAID, ids=[text[:40] for text, _ in SAID])
def test_the_cause_behind_the_words(text: str, fix: str) -> None:
    cause = causes.find_cause(f"Traceback (most recent call last):\nImportError: {text}\n")
    assert cause is not None and fix in cause.fix and cause.why


def test_every_cause_is_met_by_an_example() -> None:
    met = {getattr(causes.find_cause(text), "why", "") for text, _ in SAID}
    assert {why for _, why, _ in causes.TABLE} == met


@pytest.mark.parametrize("text", ["No module named 'cv2'", "", "libfoo.so.1: cannot open shared object file", "SM 87"])
def test_what_is_not_known_stays_as_it_is(text: str) -> None:
    assert causes.find_cause(text) is None and causes.explain(text, "look closer") == (text, "look closer")


def test_a_cause_is_added_once() -> None:
    once = causes.explain("tensorrt does not load: libnvdla_compiler.so: cannot open", "read on")
    assert once[0].startswith("tensorrt does not load: libnvdla_compiler.so: cannot open; TensorRT of JetPack")
    assert causes.explain(*once, "std::bad_alloc") == once


def test_the_cause_may_be_in_what_was_printed() -> None:
    fact, hint = causes.explain("it ended by SIGABRT", "read on", "…\nlibcuda.so.1: cannot open shared object file\n")
    assert fact == "it ended by SIGABRT; the NVIDIA driver is not visible" and hint == causes.DRIVER
