"""Each library, broken in the ways that boards have shown: what is said, and what is to be done."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.doctor import libraries
from edge_runtime.doctor.trials import built_with
from edge_runtime.gpu import cuda_driver
from edge_runtime.sources import gstreamer
from tests.standins import tensorrt_api

HERE = Path("/")
TLS = "/usr/lib/aarch64-linux-gnu/libgomp.so.1: cannot allocate memory in static TLS block"


@pytest.fixture
def jetson(tmp_path: Path) -> Path:
    """A tree with little more than the name of an Orin."""
    root = tmp_path / "jetson"
    (root / "etc").mkdir(parents=True)
    (root / "etc/nv_tegra_release").write_text(
        "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n", encoding="utf-8"
    )
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").write_text("NVIDIA Jetson Orin Nano Developer Kit\0", encoding="utf-8")
    (root / "proc/device-tree/compatible").write_text(
        "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0", encoding="utf-8"
    )
    return root


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (f"ImportError({TLS!r})", "export LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1"),
        ("ImportError('libGL.so.1: cannot open shared object file')", "libgl1"),
        ("ImportError('libopencv_core.so.405: cannot open shared object file')", "libopencv-python"),
        ("AttributeError(\"module 'cv2' has no attribute 'gapi_wip_gst_GStreamerPipeline'\")", "pip uninstall"),
        ("ImportError('numpy.core.multiarray failed to import')", "pip install 'numpy<2'"),
        ("OSError('cannot read ELF header')", "cpu"),
    ],
)
def test_opencv_that_does_not_load(library, error: str, fix: str) -> None:
    library("cv2", f"raise {error}")
    found = libraries.opencv(HERE)
    assert not found.ok and found.detail.startswith("OpenCV cannot be loaded: ") and fix in str(found.fix)


def test_opencv_for_numpy_1_under_numpy_2(library) -> None:
    """As numpy and OpenCV say it: the reason is only on stderr."""
    library("cv2", """
        import sys
        sys.stderr.write("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.2\\n")
        sys.stderr.write("AttributeError: _ARRAY_API not found\\n")
        raise ImportError("numpy.core.multiarray failed to import")
    """)  # fmt: skip
    found = libraries.opencv(HERE)
    assert "it was built for" in found.detail and found.fix == "pip install 'numpy<2'"


def test_opencv_that_reads_no_video_still_detects_in_pictures(library) -> None:
    """FFmpeg is missing from some builds: that is no reason to say that nothing can run."""
    library("cv2", f"""
        import sys
        here, sys.path = sys.path, {[path for path in sys.path if "libraries" not in path]!r}
        del sys.modules["cv2"]
        import cv2
        sys.path = here

        class VideoWriter:
            def __init__(self, *arguments): pass
            def isOpened(self): return False
        VideoWriter.fourcc = staticmethod(cv2.VideoWriter_fourcc)
        cv2.VideoWriter = VideoWriter
    """)  # fmt: skip
    found = libraries.opencv(HERE)
    assert found.ok and "reads pictures; OpenCV cannot write" in found.detail and ".avi" in str(found.fix)


def test_pips_opencv_on_a_jetson_hides_the_systems(jetson: Path) -> None:
    found = libraries.opencv(jetson)
    if "GStreamer yes" in found.detail:
        pytest.skip("this OpenCV has GStreamer")
    assert found.ok and "they hide the system's" in str(found.fix)


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_tensorrt_builds_a_layer(library, version: str) -> None:
    library("tensorrt", STANDIN.format(version=version))
    found = libraries.tensorrt(HERE)
    assert found.ok and found.detail.endswith(f"{tensorrt_api.FULL[version]}, builds a layer")


STANDIN = """
    from tests.standins import tensorrt_api
    lib = tensorrt_api.module({version!r})
    globals().update(vars(lib))
"""
REFUSES = """
    def Builder(log):
        from types import SimpleNamespace
        log.log(SimpleNamespace(name="ERROR"), "Target GPU SM 87 is not supported by this TensorRT release")
        {then}
"""


@pytest.mark.parametrize("then", ["return None", "raise TypeError('factory function returned nullptr')"])
def test_tensorrt_of_servers_on_an_orin(library, then: str) -> None:
    library("tensorrt", STANDIN.format(version="10.3") + REFUSES.format(then=then))
    found = libraries.tensorrt(HERE)
    assert not found.ok and "TensorRT 10.3.0; " in found.detail and "SM 87 is not supported" in found.detail
    assert "SBSA" in found.detail and "python3-libnvinfer" in str(found.fix)


def test_tensorrt_that_loads_may_still_crash_when_it_builds(library) -> None:
    library(
        "tensorrt", STANDIN.format(version="10.3") + "\n    def Builder(log):\n        import os\n        os.abort()\n"
    )
    found = libraries.tensorrt(HERE)
    assert not found.ok and found.detail.startswith("TensorRT 10.3.0; it ended by SIGABRT")
    assert libraries.tensorrt(HERE, quick=True).detail == "TensorRT 10.3.0"


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("libnvdla_compiler.so: cannot open shared object file: No such file or directory", "nvidia-l4t-dla-compiler"),
        ("libnvinfer.so.10: cannot open shared object file: No such file or directory", "sudo apt install tensorrt"),
        ("libcudart.so.12: cannot open shared object file: No such file or directory", "nvidia-jetpack"),
    ],
)
def test_tensorrt_that_does_not_load(library, text: str, fix: str) -> None:
    library("tensorrt", f"raise ImportError({text!r})")
    found = libraries.tensorrt(HERE)
    assert not found.ok and text in found.detail and fix in str(found.fix)


def test_a_hidden_tensorrt_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_installed", lambda name: False)
    (tmp_path / "usr/lib/python3.10/dist-packages/tensorrt").mkdir(parents=True)
    found = libraries.tensorrt(tmp_path)
    assert not found.ok and "/usr/bin/python3.10" in found.detail
    assert str(found.fix).startswith("/usr/bin/python3.10 -m venv --system-site-packages")


LISTED = """
    import sys
    import numpy as np
    __version__ = "1.20.1"

    class SessionOptions:
        def add_session_config_entry(self, name, value): pass

    class InferenceSession:
        def __init__(self, model, settings, providers):
            print("Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: "
                  "cannot open shared object file", file=sys.stderr)
        def get_providers(self): return ["CPUExecutionProvider"]
        def run(self, names, feed): return [{result}]

    def get_available_providers(): return ["CUDAExecutionProvider", "CPUExecutionProvider"]
    def set_default_logger_severity(level): pass
"""


def test_cuda_that_onnxruntime_lists_but_does_not_run(library) -> None:
    library("onnxruntime", LISTED.format(result="feed['x']"))
    found = libraries.onnxruntime(HERE)
    assert found.ok and found.detail.startswith("1.20.1, runs on CPU; CUDA is listed, but does not start; CUDA's")
    assert "nvidia-jetpack" in str(found.fix)


def test_onnxruntime_that_computes_nonsense(library) -> None:
    library("onnxruntime", LISTED.format(result="feed['x'] * 0"))
    found = libraries.onnxruntime(HERE)
    assert not found.ok and "computes a wrong result" in found.detail


def test_onnxruntime_for_numpy_1_does_not_load(library) -> None:
    library("onnxruntime", "raise ImportError('numpy.core.multiarray failed to import')")
    found = libraries.onnxruntime(HERE)
    assert not found.ok and found.fix == "pip install 'numpy<2'"


def test_two_onnxruntimes_over_one_another(library, monkeypatch: pytest.MonkeyPatch) -> None:
    library("onnxruntime", "raise ImportError('cannot import name get_available_providers')")
    monkeypatch.setattr(libraries, "_distribution", lambda name: "1.20.1")
    assert "pip uninstall onnxruntime onnxruntime-gpu" in str(libraries.onnxruntime(HERE).fix)


def test_pycuda_without_a_driver_and_pycuda_that_does_not_load(library) -> None:
    library("pycuda", "")
    library("pycuda.driver", "raise ImportError('libcurand.so.10: cannot open shared object file')")
    found = libraries.pycuda(HERE)
    assert not found.ok and found.fix
    if cuda_driver.driver() is None:
        assert "libcuda.so.1 does not load; the NVIDIA driver is not visible" in found.detail


def test_kernels_are_compiled_by_nvrtc_where_nvcc_fails(jetson: Path, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "nvcc").write_text('#!/bin/sh\n[ "$1" = --version ] && echo "release 12.6, V12.6.68" && exit\n'
                                   'echo "sh: 1: g++: not found" >&2\nexit 1\n', encoding="utf-8")  # fmt: skip
    (tmp_path / "nvcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = libraries.kernel_compiler(jetson)
    if "NVRTC" in found.detail:
        assert found.ok and found.detail.startswith("nvcc 12.6, compiles for sm_87; nvcc 12.6 does not compile")
    else:
        assert not found.ok and "g++: not found; nvcc needs a C++ compiler" in found.detail
    assert libraries.kernel_compiler(jetson, quick=True).detail == "nvcc 12.6"


GI = """
    import sys, types
    def require_version(name, version): pass
    repository = sys.modules["gi.repository"] = types.ModuleType("gi.repository")
    Gst = sys.modules["gi.repository.Gst"] = types.ModuleType("gi.repository.Gst")
    repository.Gst = Gst
    Gst.init = lambda arguments: None
    Gst.version_string = lambda: "GStreamer 1.20.3"
    Gst.PluginFlags = types.SimpleNamespace(BLACKLISTED=32)
    plugins = [types.SimpleNamespace(flags=16, get_filename=lambda: None), types.SimpleNamespace(
        flags=48, get_filename=lambda: "/nowhere/libgst{plugin}.so")]
    Gst.Registry = types.SimpleNamespace(get=lambda: types.SimpleNamespace(get_plugin_list=lambda: plugins))
    Gst.ElementFactory = types.SimpleNamespace(find=lambda name: None if name == "{element}" else name)
"""


def test_nvidias_elements_that_are_not_installed(library, jetson: Path) -> None:
    library("gi", GI.format(plugin="fluidsynthmidi", element="nvvidconv"))
    found = libraries.gstreamer(jetson)
    assert not found.ok and found.detail == "1.20.3; it lacks nvvidconv" and "nvidia-l4t-gstreamer" in str(found.fix)


@pytest.mark.parametrize(
    ("plugin", "element"), [("nvarguscamerasrc", "nvarguscamerasrc"), ("nvvideo4linux2", "nvv4l2decoder")]
)
def test_elements_that_gstreamer_leaves_out_for_ever(library, jetson: Path, plugin: str, element: str) -> None:
    library("gi", GI.format(plugin=plugin, element=element))
    found = libraries.gstreamer(jetson)
    assert not found.ok and f"GStreamer leaves out libgst{plugin}.so: /nowhere/" in found.detail
    assert "rm -f ~/.cache/gstreamer-1.0/registry" in str(found.fix)


@pytest.mark.skipif(gstreamer.available() is not None, reason=str(gstreamer.available()))
def test_a_plugin_that_gstreamer_could_not_load(jetson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For real: a file that is no library, and GStreamer's own list of what it leaves out."""
    plugin = tmp_path / "libgstnvarguscamerasrc.so"
    plugin.write_text("not a library", encoding="utf-8")
    monkeypatch.setenv("GST_PLUGIN_PATH", str(tmp_path))
    monkeypatch.setenv("GST_REGISTRY", str(tmp_path / "registry.bin"))
    found = libraries.gstreamer(jetson)
    assert not found.ok and f"GStreamer leaves out {plugin.name}: {plugin}" in found.detail


@pytest.mark.skipif(gstreamer.available() is not None, reason=str(gstreamer.available()))
def test_a_picture_goes_through_gstreamer() -> None:
    found = libraries.gstreamer(HERE)
    assert found.ok or "it lacks" in found.detail


def test_a_computer_does_not_need_nvidias_elements(library) -> None:
    library("gi", GI.format(plugin="x", element="nvvidconv") + "\n    Gst.parse_launch = None\n")
    assert "lacks" not in libraries.gstreamer(HERE).detail


def test_what_is_not_needed_here_is_absent(tmp_path: Path, jetson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a laptop nobody needs TensorRT; on a Jetson its absence is a finding, with a fix."""
    monkeypatch.setattr(libraries, "_installed", lambda name: False)
    monkeypatch.setattr(cuda_driver, "driver", lambda: None)
    for check in (libraries.tensorrt, libraries.pycuda, libraries.gstreamer):
        on_laptop, on_jetson = check(tmp_path), check(jetson)
        assert on_laptop.absent and not on_laptop.ok
        assert not on_jetson.absent and not on_jetson.ok and on_jetson.fix


def test_pycuda_wants_nvcc_on_the_path(jetson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (jetson / "usr/local/cuda/bin").mkdir(parents=True)
    (jetson / "usr/local/cuda/bin/nvcc").touch(mode=0o755)
    monkeypatch.setattr(libraries, "_installed", lambda name: False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert str(libraries.pycuda(jetson).fix).startswith("export PATH=/usr/local/cuda/bin:$PATH, then pip install")


def test_build_information_is_read_by_line() -> None:
    text = "  Video I/O:\n    FFMPEG:          YES\n    GStreamer:       NO\n"
    assert built_with(text, "FFmpeg") and not built_with(text, "GStreamer")
    assert built_with("    GStreamer:                   YES (1.20.3)\n", "GStreamer")


OUTPUTS = {"paho-mqtt": libraries.paho, "h11": libraries.h11, "prometheus-client": libraries.prometheus}


@pytest.mark.parametrize("package", OUTPUTS)
def test_a_library_of_outputs(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(package.replace("paho-mqtt", "paho.mqtt").replace("-", "_"))
    found = OUTPUTS[package](HERE)
    assert found.ok and metadata.version(package) in found.detail and "://" in found.detail
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    found = OUTPUTS[package](HERE)
    assert found.absent and not found.ok and "pip install" in str(found.fix) and "://" in found.detail


@pytest.mark.parametrize("package", OUTPUTS)
def test_a_library_of_outputs_that_is_broken(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_installed", lambda name: True)
    monkeypatch.setattr(libraries, "import_module", _raise)
    found = OUTPUTS[package](HERE)
    assert not found.ok and not found.absent and found.detail == "cannot be imported: broken" and found.fix


def test_an_old_paho(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_installed", lambda name: True)
    monkeypatch.setattr(libraries, "import_module", lambda name: sys)
    found = libraries.paho(HERE)
    assert not found.ok and "older than 2.0" in found.detail and "pip install" in str(found.fix)


def _raise(name: str) -> None:
    raise RuntimeError("broken")
