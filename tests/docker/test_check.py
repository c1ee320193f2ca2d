"""docker/check.py over libraries that work, and over stand-ins of those that do not: one sentence, exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[2] / "docker" / "check.py"
REPOSITORY = CHECK.parents[1]

pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")
pytest.importorskip("av")

READS = """
import numpy
__version__ = {version!r}
def setLogLevel(level): pass
def imwrite(path, picture): return True
def imread(path): return {read}
"""
GI = "def require_version(name, version): pass\n"
GST = """
def init(arguments): pass
class ElementFactory:
    find = staticmethod(lambda name: None if name == "rtspsrc" else name)
"""


def check(folder: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    """Runs it with the modules in `folder` first."""
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    command = [sys.executable, str(CHECK), *modules]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, encoding="utf-8", timeout=120
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The error; there must be nothing else but a hint."""
    error, hint = done.stderr.splitlines()
    assert done.returncode == 1 and error.startswith("error: ") and hint.startswith("hint: ") and done.stdout == ""
    return error


def test_what_works_together_is_named_with_its_versions(tmp_path):
    done = check(tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("OpenCV ")


@pytest.mark.parametrize("version", ["4.2.0", "3.4.18", "4.4.0-dev", "4.5.3"])
def test_an_opencv_that_is_too_old(tmp_path, version):
    (tmp_path / "cv2.py").write_text(READS.format(version=version, read="None"), encoding="utf-8")
    assert sentence(check(tmp_path)) == f"error: OpenCV is {version}, 4.5.4 or newer is needed"


@pytest.mark.parametrize("version", ["4.5.4", "4.10.0", "5.0.0"])
def test_a_newer_one_is_not_too_old(tmp_path, version):
    (tmp_path / "cv2.py").write_text(
        READS.format(version=version, read="numpy.full((48, 64, 3), (30, 120, 210))"), encoding="utf-8"
    )
    assert check(tmp_path).returncode == 0


def test_an_opencv_that_our_own_loader_refuses(tmp_path):
    (tmp_path / "cv2.py").write_text(
        READS.format(version="4.8.0", read="None") + "del setLogLevel\nutils = None\n", encoding="utf-8"
    )
    assert sentence(check(tmp_path)).startswith("error: edge_runtime does not take OpenCV 4.8.0: ")


@pytest.mark.parametrize(
    "read", ["None", "numpy.zeros((48, 64, 3), 'uint8')", "numpy.zeros((48, 64), 'uint8')", "numpy.zeros((1, 1, 3))"]
)
def test_an_opencv_that_does_not_read_pictures(tmp_path, read):
    (tmp_path / "cv2.py").write_text(READS.format(version="4.5.4", read=read), encoding="utf-8")
    assert "does not read the picture" in sentence(check(tmp_path))


@pytest.mark.parametrize(
    ("module", "raised"),
    [("cv2", "ImportError('numpy.core.multiarray failed to import')"), ("cv2", "AttributeError('_ARRAY_API')"),
     ("onnxruntime", "ImportError('libstdc++ is too old')"), ("numpy", "ImportError('no numpy')"),
     ("av", "ImportError('cannot allocate memory in static TLS block')")],
)  # fmt: skip
def test_a_library_that_cannot_be_loaded(tmp_path, module, raised):
    (tmp_path / f"{module}.py").write_text(f"raise {raised}", encoding="utf-8")
    assert sentence(check(tmp_path)).startswith(f"error: {module} cannot be loaded: ")


def test_gstreamer_without_an_element(tmp_path):
    (tmp_path / "gi" / "repository").mkdir(parents=True)
    (tmp_path / "gi" / "__init__.py").write_text(GI, encoding="utf-8")
    (tmp_path / "gi" / "repository" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "gi" / "repository" / "Gst.py").write_text(GST, encoding="utf-8")
    assert sentence(check(tmp_path, "json")) == "error: GStreamer has no rtspsrc"
    (tmp_path / "gi" / "repository" / "Gst.py").write_text(GST.replace("rtspsrc", "none"), encoding="utf-8")
    assert check(tmp_path, "json").returncode == 0
    assert "there is no not_there for Python" in sentence(check(tmp_path, "json", "not_there"))
