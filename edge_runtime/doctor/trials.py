"""The trial of each library: the product's own loader loads it, then it does one small piece of its work.

    python -m edge_runtime.doctor.trials NAME [--quick]

A trial yields first the version of what it loaded. `--quick` stops there. Then it yields what the library did. Each is
a line of JSON on stdout: {"said": …}. The last line is {"done": true} or {"error": …, "hint": …}.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
import tempfile
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import numpy as np
import onnx
from onnx import helper

from edge_runtime import sources
from edge_runtime.backends import BackendOptions
from edge_runtime.backends import onnxruntime as ort_backend
from edge_runtime.backends import openvino as openvino_backend
from edge_runtime.build.job import Job
from edge_runtime.build.worker import Builder
from edge_runtime.doctor.clips import read_back, write_video
from edge_runtime.errors import BackendUnavailable, EdgeError
from edge_runtime.gpu import cuda, cuda_driver, kernels, plan_file, trt
from edge_runtime.imaging import gst, opencv
from edge_runtime.imaging.pyav import load_av
from edge_runtime.jetson import board
from edge_runtime.libraries import causes
from edge_runtime.libraries.telemetry import kept_out
from edge_runtime.model.spec import ModelIO
from edge_runtime.sources import _gst
from edge_runtime.sources._cvvideo import CvVideoSource
from edge_runtime.sources.video import VideoSource

Trial = Callable[[], Iterator[str]]
SHAPE = (1, 8, 16, 16)  # size of the input of the network of one layer
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
NVIDIA_ELEMENTS = ("nvarguscamerasrc", "nvvidconv", "nvv4l2decoder")
ELEMENTS = ("appsink", "videoconvert", "videoscale", "decodebin", "filesrc", "v4l2src", "jpegdec", "rtspsrc")
PLUGINS = "sudo apt install gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
NVIDIA_PLUGINS = "sudo apt install nvidia-l4t-gstreamer; in a container --runtime nvidia"
WORKSPACE = 64 << 20  # bytes


def cv2() -> Iterator[str]:
    """OpenCV: a picture and a video are written and read."""
    module = opencv.load_cv2()
    info = module.getBuildInformation()
    gui = re.search(r"^\s*GUI:\s+(\S+)", info, re.M)
    windows = "headless" if gui is None or gui.group(1) == "NONE" else "with windows"
    has = ", ".join(f"{name} {'yes' if built_with(info, name) else 'no'}" for name in ("FFmpeg", "GStreamer"))
    yield f"{module.__version__}, {windows}, {has}"
    image = np.full((48, 64, 3), 200, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        picture, video = f"{folder}/picture.jpg", f"{folder}/video.mp4"
        module.imwrite(picture, image)
        read_back(picture, image, sources.open)
        yield "reads pictures"
        write_video(video, image, "opencv")
        read_back(video, image, CvVideoSource)
        yield "writes and reads video"


def pyav() -> Iterator[str]:
    """PyAV: a video is written and read."""
    module = load_av()
    yield str(module.__version__)
    image = np.full((48, 64, 3), 200, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        yield write_video(f"{folder}/video.mp4", image, "auto")
        read_back(f"{folder}/video.mp4", image, VideoSource)
        yield "reads video"


def onnxruntime() -> Iterator[str]:
    """The model is run. The session says which provider runs it, because a listed provider may not start."""
    with kept_out():
        import onnxruntime as ort

    yield str(ort.__version__)
    with _network("Relu") as path:
        session, _ = ort_backend._session(path, BackendOptions(), 1)
        _check("ONNX Runtime", session.run(None, {"x": np.ones(SHAPE, np.float32)})[0])
    runs = [name.replace("ExecutionProvider", "") for name in session.get_providers()]
    yield f"runs on {', '.join(runs)}"
    if "CUDAExecutionProvider" in ort.get_available_providers() and "CUDA" not in runs:
        raise BackendUnavailable("CUDA is listed, but does not start", hint="install the CUDA that it was made for")


def openvino() -> Iterator[str]:
    """The model is run on the processor."""
    with kept_out():
        import openvino as module

    yield str(module.__version__.split("-")[0])
    with _network("Relu") as path:
        compiled = openvino_backend._compile(path, ModelIO("x", SHAPE, {}), 1)
        _check("OpenVINO", compiled([np.ones(SHAPE, np.float32)])[0])
    yield "runs on CPU"


def tensorrt() -> Iterator[str]:
    """A network of one layer is built, by our builder."""
    lib = trt.library()
    yield f"{'TensorRT-RTX' if trt.is_rtx(lib) else 'TensorRT'} {lib.__version__}"
    aim = "SM86" if trt.is_rtx(lib) and not cuda_driver.compute_capability() else ""
    with _network("Conv") as path:
        try:
            Builder(Job(path, f"{path}.plan", "fp32", WORKSPACE, compute_capability=aim)).build()
        except EdgeError as error:
            raise _with_log(error) from error
        except Exception as error:  # the binding raises this if the library returns nothing
            raise _with_log(BackendUnavailable(f"TensorRT builds nothing: {error}")) from error
        yield "builds a layer"
        if not aim and cuda_driver.compute_capability():
            plan_file.Engine(plan_file.load_plan(f"{path}.plan")).close()
            yield "opens it on the GPU"


def pycuda() -> Iterator[str]:
    """The GPU is opened."""
    yield ".".join(map(str, cuda.binding().get_version()))
    with closing(cuda.Device()) as device:
        yield f"opens a GPU of compute capability {device.capability}"


def kernel_compiler() -> Iterator[str]:
    """Our kernels are compiled for the GPU of this machine, or for a similar one."""
    yield str(kernels.find_compiler().name)
    capability = cuda_driver.compute_capability() or board.compute_capability(board.root()) or "7.5"
    kernels.cubin(capability)
    yield f"compiles for sm_{capability.replace('.', '')}"


def gstreamer() -> Iterator[str]:
    """A test picture passes through a pipeline, and every element that our pipelines use is installed."""
    library = gst.load_gst()
    yield str(library.version_string().split()[-1])
    wanted = (*ELEMENTS, *(NVIDIA_ELEMENTS if board.is_jetson(board.root()) else ()))
    missing = [name for name in wanted if not gst.has(name)]
    if missing:
        raise _missing(missing)
    test = "videotestsrc num-buffers=2 ! videoconvert ! video/x-raw,format=BGR,width=64,height=48"
    with closing(_gst.GstCapture(f"{test} ! appsink name={_gst.SINK}", 10)) as capture:
        if not capture.opened:
            raise capture.failure("a test picture")
    yield "has every element that we use"


def cuda_devices() -> Iterator[str]:
    """The driver's devices."""
    lib = cuda_driver.driver()
    if lib is None:
        raise BackendUnavailable("libcuda.so.1 does not load", hint=causes.DRIVER)
    yield f"CUDA {cuda_driver.driver_version()}"
    code, count = lib.cuInit(0), ctypes.c_int()
    if code:
        reason = "no CUDA-capable device is detected" if code == NO_DEVICE else f"cuInit failed with error {code}"
        raise BackendUnavailable(reason, hint="nvidia-smi says more")
    lib.cuDeviceGetCount(ctypes.byref(count))
    yield ", ".join(_device_name(lib, number) for number in range(count.value))


TRIALS: Dict[str, Trial] = {
    trial.__name__: trial
    for trial in (cv2, pyav, onnxruntime, openvino, tensorrt, pycuda, kernel_compiler, gstreamer, cuda_devices)
}


def built_with(build_information: str, name: str) -> bool:
    """Whether OpenCV says that it was built with FFmpeg or GStreamer."""
    return re.search(rf"^\s*{name}:\s+YES", build_information, re.M | re.I) is not None


@contextmanager
def _network(kind: str) -> Iterator[str]:
    """A file with a network of one layer, in a format old enough for all supported libraries."""
    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, SHAPE) for name in "xy")
    weights = helper.make_tensor("w", onnx.TensorProto.FLOAT, (8, 8, 1, 1), np.ones(64, np.float32).tobytes(), raw=True)
    more = [weights] if kind == "Conv" else []
    node = helper.make_node(kind, ["x", *(tensor.name for tensor in more)], ["y"])
    model = helper.make_model(
        helper.make_graph([node], "one layer", [x], [y], more), opset_imports=[helper.make_opsetid("", 11)]
    )
    model.ir_version = 6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "layer.onnx")
        path.write_bytes(model.SerializeToString())
        yield str(path)


def _check(name: str, result: Any) -> None:
    if not np.array_equal(result, np.ones(SHAPE, np.float32)):
        raise BackendUnavailable(f"{name} computes a wrong result", hint="install it again")


def _with_log(error: EdgeError) -> EdgeError:
    """The error with TensorRT's log, so that the cause can be found in it."""
    said = [text for severity, text in trt.log()[1].said if "ERROR" in severity and text not in str(error)]
    return type(error)("; ".join([str(error), *said[:1]]), hint=error.hint)


def _missing(elements: List[str]) -> EdgeError:
    """Why elements are not there."""
    fix = NVIDIA_PLUGINS if set(elements) & set(NVIDIA_ELEMENTS) else PLUGINS
    absent = BackendUnavailable(f"it lacks {', '.join(elements)}", hint=fix)
    return next(filter(None, map(gst.left_out, elements)), absent)


def _device_name(lib: Any, number: int) -> str:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    lib.cuDeviceGet(ctypes.byref(device), number)
    lib.cuDeviceGetName(name, len(name), device)
    return name.value.decode()


def main(argv: List[str]) -> int:
    """Runs a trial and says how far it got."""
    try:
        for text in islice(TRIALS[argv[0]](), 1 if "--quick" in argv else None):
            print(json.dumps({"said": text}), flush=True)
        print(json.dumps({"done": True}), flush=True)
    except EdgeError as error:
        print(json.dumps({"error": str(error), "hint": error.hint}), flush=True)
    except Exception as error:
        reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        print(json.dumps({"error": reason, "hint": None}), flush=True)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
