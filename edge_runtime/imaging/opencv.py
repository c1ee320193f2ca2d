"""Loads OpenCV late and switches its log off. Our own errors say what went wrong."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import libraries
from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries import NUMPY_HINT, OTHER_NUMPY, causes
from edge_runtime.libraries.extras import install_hint
from edge_runtime.libraries.once import once
from edge_runtime.libraries.preload import preload

# OpenCV reads these when it opens a file. A setting of the user is kept. Two decoder threads need no more CPU per frame
# than one, but a fast detector waits less for a frame. -8 is FFmpeg's "quiet".
# A picture with more pixels is refused. OpenCV's own limit is 1024 million, which need 3 GB and more.
MOST_PIXELS = 1 << 27
DEFAULTS = {
    "OPENCV_FFMPEG_THREADS": "2",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(MOST_PIXELS),
}
OLDEST = (4, 5, 4)  # the oldest version that is tested; 4.2 cannot open a video with parameters
# How the lines begin that OpenCV and its libraries print at every log level.
NOISE = re.compile(
    rb"libpng |imdecode_|imread_|Corrupt JPEG|Premature end|Invalid |Unsupported |JPEG |TIFF|\[.*(WARN|ERROR)|OpenCV"
)


@once
def load_cv2() -> Any:
    """The module cv2. Its log is off unless the user has set OPENCV_LOG_LEVEL.

    Raises:
        BackendUnavailable: OpenCV cannot be loaded, or is too old.
    """
    chosen = "OPENCV_FFMPEG_LOGLEVEL" in os.environ
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    preload()
    try:
        cv2: Any = libraries.load_library("cv2")
    except ImportError as error:
        fact = f"OpenCV cannot be loaded: {error}"
        install = f"{install_hint('cpu')}, or on a Jetson the system's own: sudo apt install libopencv-python"
        fact, hint = (fact, NUMPY_HINT) if OTHER_NUMPY in fact else causes.explain(fact, install)
        raise BackendUnavailable(fact, hint=hint) from error
    _check_version(str(cv2.__version__))
    if "OPENCV_LOG_LEVEL" not in os.environ:
        # OpenCV 5 has one of the two, OpenCV 4 the other
        cv2.setLogLevel(0) if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel(0)
    if not chosen:
        _hush_ffmpeg()
    return cv2


def resize(image: NDArray[np.uint8], size_wh: Tuple[int, int]) -> NDArray[np.uint8]:
    """Scales an image (H, W, 3) uint8 by area. OpenCV 4.5 cannot do that with a single pixel."""
    cv2, (width, height) = load_cv2(), size_wh
    if image.shape[:2] == (1, 1):
        return np.broadcast_to(image, (height, width, image.shape[2])).copy()
    scaled: NDArray[np.uint8] = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    return scaled


def fitted(image: NDArray[np.uint8], page: NDArray[np.uint8]) -> Tuple[int, int, int, int]:
    """Scales an image to fit into the middle of a page, with its shape kept. The rest of the page is black.

    Args:
        image: (H, W, 3) uint8.
        page: (H, W, 3) uint8, which is written. It may be a part of a larger array.

    Returns:
        x, y, width and height of the image on the page, pixels.
    """
    height, width = page.shape[:2]
    scale = min(height / image.shape[0], width / image.shape[1])
    w, h = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    x, y = (width - w) // 2, (height - h) // 2
    page.fill(0)
    page[y : y + h, x : x + w] = image if image.shape[:2] == (h, w) else resize(image, (w, h))
    return x, y, w, h


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops what OpenCV and its libraries print on stderr meanwhile. Other output appears a moment later.

    Use it for short calls. If OPENCV_LOG_LEVEL is set, nothing is dropped.
    """
    if "OPENCV_LOG_LEVEL" in os.environ:
        yield
        return
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()


class _Silence:
    """Sends standard error into a file while at least one thread needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._stderr = -1
        self._heard: Any = None

    def begin(self) -> None:
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                self._heard = self._heard or tempfile.TemporaryFile(buffering=0)
                self._stderr = os.dup(2)
                os.dup2(self._heard.fileno(), 2)

    def end(self) -> None:
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                os.dup2(self._stderr, 2)
                os.close(self._stderr)
                self._pass_on()

    def _pass_on(self) -> None:
        self._heard.seek(0)
        lines: List[bytes] = self._heard.read().splitlines(keepends=True)
        if lines:
            self._heard.seek(0)
            self._heard.truncate()
            os.write(2, b"".join(line for line in lines if line.strip() and not NOISE.match(line)))


_silence = _Silence()


def _check_version(version: str) -> None:
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        hint = f"pip install 'opencv-python-headless>={oldest}', or on a Jetson that of JetPack 5 or later"
        raise BackendUnavailable(f"OpenCV is {version}, the oldest that works is {oldest}", hint=hint)


def _hush_ffmpeg() -> None:
    """Gives FFmpeg a log function that does nothing, because OpenCV 4.5 does not know OPENCV_FFMPEG_LOGLEVEL.

    OpenCV resets the log level when it opens a file, but not the function. The function is `getpid`, because it ignores
    its arguments. A function in Python would need the interpreter's lock in FFmpeg's threads.
    """
    with contextlib.suppress(OSError):
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        for path in set(re.findall(r"/.*/libavutil\S*", maps)):
            ctypes.CDLL(path).av_log_set_callback(ctypes.CDLL(None).getpid)
