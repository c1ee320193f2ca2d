"""Shared parts of the sources that read with OpenCV."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import contextmanager
from time import monotonic
from typing import Any, Iterator, Optional, Protocol, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.opencv import load_cv2

MAX_BROKEN = 10  # pictures of a camera in a row; with so many it was unplugged


class Closeable(Protocol):
    """Anything that can be closed."""

    def close(self) -> None: ...


def fit(image: NDArray[np.uint8], buffer: Optional[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Copies the image into `buffer` and returns it if the shape fits; else returns the image itself."""
    if buffer is None or buffer is image or buffer.shape != image.shape:
        return image
    np.copyto(buffer, image)
    return buffer


@contextmanager
def closed_on_error(opened: Closeable) -> Iterator[None]:
    """Closes what is open if a constructor fails or is interrupted."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


@contextmanager
def _openable(target: Union[str, int]) -> Iterator[Union[str, int]]:
    """The target; a file from the root on, because a name like 22:57.mp4 would be read as an address.

    If its name is not UTF-8, a link to it while it is opened, because OpenCV crashes on such a name.
    """
    if isinstance(target, int) or target == target.encode(errors="replace").decode():
        yield target if isinstance(target, int) or "://" in target else os.path.abspath(target)
        return
    with tempfile.TemporaryDirectory(prefix="edge-video-") as folder:
        link = os.path.join(folder, "video")
        os.symlink(os.path.abspath(target), link)
        yield link


class CvCapture:
    """See `_pictures.Capture`: a cv2.VideoCapture. `close()` waits for a running read. Later reads give None.

    Args:
        target: file, URL or camera number.
        api: one of cv2.CAP_*.
        params: pairs of property and value, in one flat list.
    """

    def __init__(self, target: Union[str, int], api: int, params: Sequence[int] = ()) -> None:
        self._target, self._arguments = target, (api, list(params))
        self.error, self.lost = "", 0
        self.refused = self.slow = self.ended = False  # OpenCV does not say why
        self.came_s, self.stamp_s = 0.0, None  # type: float, Optional[float]
        self._lock = threading.Lock()
        self._closed = False
        self._capture: Any = load_cv2().VideoCapture()
        self.reopen()

    @property
    def opened(self) -> bool:
        """Whether there is something to read from."""
        return bool(self._capture.isOpened())

    @property
    def form(self) -> str:
        """See the protocol."""
        return ""

    @property
    def fps(self) -> Optional[float]:
        """Nominal frames per second; None if the container or driver gives no plausible value."""
        fps = self.get(load_cv2().CAP_PROP_FPS)
        return fps if 0 < fps <= 1000 else None

    @property
    def size(self) -> str:
        """Width and height as text, "1280x720"."""
        cv2 = load_cv2()
        return f"{self.get(cv2.CAP_PROP_FRAME_WIDTH):.0f}x{self.get(cv2.CAP_PROP_FRAME_HEIGHT):.0f}"

    def get(self, prop: int) -> float:
        """The value of a cv2.CAP_PROP_*; 0 if there is none."""
        with self._lock:
            return float(self._capture.get(prop))

    def set(self, prop: int, value: float) -> None:
        """Asks for a value of a cv2.CAP_PROP_*. The device may ignore it."""
        with self._lock:
            self._capture.set(prop, value)

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[NDArray[np.uint8]]:
        """The next image, decoded into `buffer` if its shape fits. None if there is none, or none now."""
        with self._lock:
            good, image = self._capture.read(buffer)
            self.came_s = monotonic()
        return fit(image, buffer) if good else None

    def reopen(self) -> None:
        """Starts again from the beginning, or connects again. Do not call it after `close()`."""
        with self._lock:
            if not self._closed:
                with _openable(self._target) as target:
                    self._capture.open(target, *self._arguments)

    def interrupt(self) -> None:
        """See `_pictures.Capture`. OpenCV cannot end a read, which ends at its timeout."""

    def close(self) -> None:
        """Releases file, device or connection. It may be called more than once."""
        with self._lock:
            self._closed = True
            self._capture.release()


class CvCamera(CvCapture):
    """A V4L2 camera, asked for MJPG. The format comes first, because sizes and rates depend on it.

    Args:
        number: N of /dev/videoN.
        size_wh: wanted (width, height) in pixels.
        fps: wanted frames per second.
    """

    def __init__(self, number: int, size_wh: Tuple[int, int], fps: float) -> None:
        self._size_wh, self._rate = size_wh, fps
        super().__init__(number, load_cv2().CAP_V4L2)

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[NDArray[np.uint8]]:
        """See `CvCapture.read`. Cheap cameras sometimes send a broken JPEG."""
        for self.lost in range(MAX_BROKEN):
            image = super().read(buffer)
            if image is not None:
                return image
        self.error = f"{MAX_BROKEN} broken pictures in a row"
        return None

    def reopen(self) -> None:
        """See `CvCapture.reopen`."""
        cv2 = load_cv2()
        super().reopen()
        with closed_on_error(self):
            self.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*"MJPG"))
            self.set(cv2.CAP_PROP_FRAME_WIDTH, self._size_wh[0])
            self.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size_wh[1])
            self.set(cv2.CAP_PROP_FPS, self._rate)
            self.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    @property
    def form(self) -> str:
        """See the protocol."""
        fourcc = int(self.get(load_cv2().CAP_PROP_FOURCC)) & 0xFFFFFFFF
        return fourcc.to_bytes(4, "little").decode("latin1").strip()
