"""Loading OpenCV: late, quiet, and with a way out where it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict

import numpy as np
import pytest

from edge_runtime.errors import BackendUnavailable
from edge_runtime.imaging import opencv
from edge_runtime.libraries.extras import install_hint
from tests.sources.clips import write_clip

SHOW = """
import os, sys
from edge_runtime.imaging.opencv import load_cv2
cv2 = load_cv2()
level = cv2.getLogLevel() if hasattr(cv2, "getLogLevel") else cv2.utils.logging.getLogLevel()
print(os.environ["OPENCV_FFMPEG_THREADS"], os.environ["OPENCV_FFMPEG_LOGLEVEL"], level)
cv2.imdecode(__import__("numpy").frombuffer(b"\\xff\\xd8\\xff\\xe0" + bytes(50), "uint8"), 1)
cv2.VideoCapture(sys.executable).read()
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean: Dict[str, str] = {k: v for k, v in os.environ.items() if not k.startswith("OPENCV_")}
    return subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environment}, check=True, capture_output=True, encoding="utf-8"
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
    assert install_hint("cpu").replace(" 'numpy<2'", "") in shown.stdout  # which is there for the system's OpenCV


SAY = """
from edge_runtime.errors import BackendUnavailable
from edge_runtime.imaging.opencv import load_cv2
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


@pytest.mark.parametrize("version", ["4.2.0", "4.5.3-dev", "3.4.18"])
def test_one_that_is_too_old_is_named(version: str) -> None:
    with pytest.raises(BackendUnavailable, match=f"OpenCV is {version}, the oldest that works is 4.5.4") as caught:
        opencv._check_version(version)
    assert "pip install" in str(caught.value.hint)


@pytest.mark.parametrize("version", ["4.5.4", "4.6.0", "4.12.0-dev", "5.0.0"])
def test_ones_that_are_not(version: str) -> None:
    opencv._check_version(version)


def test_quiet_drops_what_libraries_print_and_nothing_else(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENCV_LOG_LEVEL", raising=False)
    with opencv.quiet(), opencv.quiet():
        os.write(2, b"libpng error: CRC\n\nerror: the disk is full\n[ WARN:0@0.1] global loadsave.cpp\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "error: the disk is full\nafterwards\n"
    monkeypatch.setenv("OPENCV_LOG_LEVEL", "DEBUG")
    with opencv.quiet():
        os.write(2, b"libpng error\n")
    assert capfd.readouterr().err == "libpng error\n"


def test_quiet_in_several_threads(capfd: pytest.CaptureFixture[str]) -> None:
    def speak(number: int) -> None:
        for _ in range(50):
            with opencv.quiet():
                os.write(2, b"libpng error\n" if number % 2 else b"heard\n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(speak, range(8)))
    os.write(2, b"end\n")
    assert capfd.readouterr().err == "heard\n" * 200 + "end\n"


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 30)])
def test_resize_takes_any_picture(shape: tuple) -> None:
    image = np.full((*shape, 3), 7, np.uint8)
    assert (opencv.resize(image, (5, 4)) == np.full((4, 5, 3), 7)).all()


DAMAGED = """
import sys
from edge_runtime import sources
from edge_runtime.errors import EdgeError
for path in sys.argv[1:]:
    try:
        source = sources.open(path)
        while source.read() is not None:
            pass
    except EdgeError as error:
        print(error)
"""


def test_damaged_videos_make_no_noise(tmp_path: Path) -> None:
    """Under OpenCV 4 FFmpeg's lines and those of CAP_IMAGES, which tries what FFmpeg will not have."""
    paths = []
    for suffix, fourcc in (("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "mp4v")):
        whole = bytearray(write_clip(tmp_path / f"a.{suffix}", 30, fourcc, noise=True).read_bytes())
        (tmp_path / f"half.{suffix}").write_bytes(whole[: len(whole) // 2])
        whole[len(whole) // 3 : len(whole) // 2 : 97] = b"\xff" * len(whole[len(whole) // 3 : len(whole) // 2 : 97])
        (tmp_path / f"damaged.{suffix}").write_bytes(whole)
        (tmp_path / f"nothing_01.{suffix}").write_bytes(b"nothing" * 100)
        paths += [str(tmp_path / f"{name}.{suffix}") for name in ("half", "damaged", "nothing_01")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    done = subprocess.run(
        [sys.executable, "-c", DAMAGED, *paths], env=clean, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr == "" and "cannot be opened" in done.stdout
