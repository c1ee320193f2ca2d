"""Loading OpenCV: late, quiet, and with a way out where it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict

SHOW = """
import os, sys
from edge_runtime.opencv import load_cv2
cv2 = load_cv2()
print(os.environ["OPENCV_FFMPEG_THREADS"], os.environ["OPENCV_FFMPEG_LOGLEVEL"], cv2.utils.logging.getLogLevel())
cv2.imdecode(__import__("numpy").frombuffer(b"\\xff\\xd8\\xff\\xe0" + bytes(50), "uint8"), 1)
cv2.VideoCapture(sys.executable).read()
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean: Dict[str, str] = {k: v for k, v in os.environ.items() if not k.startswith("OPENCV_")}
    return subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environment}, check=True, capture_output=True, text=True
    )


def test_says_nothing_itself() -> None:
    shown = run(SHOW)
    assert shown.stdout.split() == ["2", "-8", "0"] and shown.stderr == ""


def test_the_users_settings_win() -> None:
    shown = run(SHOW, OPENCV_FFMPEG_THREADS="3", OPENCV_FFMPEG_LOGLEVEL="16", OPENCV_LOG_LEVEL="ERROR")
    assert shown.stdout.split() == ["3", "16", "2"]


def test_without_opencv() -> None:
    shown = run(
        "import sys\nsys.modules['cv2'] = None\n"
        "from edge_runtime import sources\nfrom edge_runtime.errors import BackendUnavailable\n"
        "try:\n    sources.open('synthetic').read()\n    sources.open(sys.executable + '.png')\n"
        "except BackendUnavailable as error:\n    print(error.hint)"
    )
    assert "edge-runtime[cpu]" in shown.stdout


SAY = """
from edge_runtime.errors import BackendUnavailable
from edge_runtime.opencv import load_cv2
try:
    load_cv2()
except BackendUnavailable as error:
    print(error, error.hint, sep="|")
"""


def broken(folder: Path, said: str, error: str) -> subprocess.CompletedProcess[str]:
    """What is said of a module cv2 that prints a line and fails."""
    code = f"import sys\nprint({said!r}, file=sys.stderr)\nraise ImportError({error!r})\n"
    (folder / "cv2.py").write_text(code, encoding="utf-8")
    return run(SAY, PYTHONPATH=os.pathsep.join([str(folder), *filter(None, sys.path)]))


def test_opencv_built_for_another_numpy_is_one_sentence(tmp_path: Path) -> None:
    said = "A module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.2.6 ...\n_ARRAY_API not found"
    shown = broken(tmp_path, said, "numpy.core.multiarray failed to import")
    assert "it was built for" in shown.stdout and "|pip install 'numpy<2'" in shown.stdout and not shown.stderr


def test_thread_data_without_room_has_its_way_out(tmp_path: Path) -> None:
    shown = broken(tmp_path, "", "/lib/libgomp.so.1: cannot allocate memory in static TLS block")
    assert "export LD_PRELOAD=/lib/libgomp.so.1" in shown.stdout
