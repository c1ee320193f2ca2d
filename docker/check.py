"""Ends the build of an image in which a library does not work: `python check.py [MODULE ...]`.

OpenCV and numpy come from different places, so one process loads both and reads a picture. MODULEs need the board's own
driver to be loaded; here they only have to be installed for this Python.
"""

import re
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

OLDEST = (4, 5, 4)  # JetPack 5's; Ubuntu 20.04 has 4.2, which cannot open a video with parameters
PACKAGE = "the wheel of this project is not complete"
ELEMENTS = "appsink videoconvert videoscale v4l2src jpegdec rtspsrc h264parse decodebin".split()


def fail(fact, hint):
    """Ends with an error as every command words it."""
    sys.exit(f"error: {fact}\nhint: {hint}")


def load(name, hint):
    """The module; the build ends where it cannot be loaded, for whatever reason its libraries have."""
    try:
        return import_module(name)
    except Exception as error:
        fail(f"{name} cannot be loaded: {error}", hint)


def opencv(cv2, numpy):
    """Whether OpenCV is new enough, is taken by our own loader, writes a picture and reads it back."""
    source = "JetPack's is libopencv-python, from NVIDIA's package source (docker/l4t_source.sh)"
    if tuple(int(part) for part in re.findall(r"\d+", cv2.__version__)[:3]) < OLDEST:
        fail(f"OpenCV is {cv2.__version__}, {'.'.join(map(str, OLDEST))} or newer is needed", source)
    try:
        load("edge_runtime.imaging.opencv", PACKAGE).load_cv2()
    except Exception as error:
        fail(f"edge_runtime does not take OpenCV {cv2.__version__}: {error}", source)
    picture = numpy.full((48, 64, 3), (30, 120, 210), numpy.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "picture.jpg"))
        read = cv2.imread(path) if cv2.imwrite(path, picture) else None
    if read is None or read.shape != picture.shape or abs(read.astype(int) - picture).max() > 4:
        fail(f"OpenCV {cv2.__version__} does not read the picture that it wrote", source)


def gstreamer(gi):
    """Whether the elements that our pipelines use are there."""
    gi.require_version("Gst", "1.0")
    gst = load("gi.repository.Gst", "gir1.2-gstreamer-1.0 is not installed")
    gst.init(None)
    missing = [name for name in ELEMENTS if gst.ElementFactory.find(name) is None]
    if missing:
        fail(f"GStreamer has no {', '.join(missing)}", "gstreamer1.0-plugins-good and -bad have them")


def main(modules):
    """Checks everything in the order in which one thing needs another."""
    numpy = load("numpy", "pip install 'numpy<2'")
    cv2 = load("cv2", "an OpenCV built for numpy 1 needs 'numpy<2'")
    opencv(cv2, numpy)
    runtime = load("onnxruntime", "pip install onnxruntime; edge-calibrate needs it")
    av = load("av", "it is in the extras [cpu] and [tensorrt]; for JetPack 5 pip install av==12.3.0")
    load("edge_runtime.cli.detect", PACKAGE)
    load("edge_runtime.native._core", PACKAGE)
    if modules:
        gstreamer(load("gi", "python3-gi is not installed, or --system-site-packages is missing"))
    for name in modules:
        find_spec(name) or fail(
            f"there is no {name} for Python {sys.version.split()[0]}", "python3-libnvinfer brings tensorrt, pip pycuda"
        )
    versions = f"numpy {numpy.__version__}, ONNX Runtime {runtime.__version__}, PyAV {av.__version__}"
    print(f"OpenCV {cv2.__version__}, {versions}: they work together")


if __name__ == "__main__":
    main(sys.argv[1:])
