"""Gets MPEG-4 pictures from OpenCV's FFmpeg, one by one, where PyAV is missing.

OpenCV writes only files, hides their errors, and gives FFmpeg no options of a container. So up to a quarter of a
megabyte stays in memory, which is a whole video of a calm scene. OpenCV therefore writes into a pipe, because FFmpeg
keeps nothing back from a pipe. The container is AVI, because its packets are easiest to read.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections import deque
from fractions import Fraction
from struct import unpack
from typing import Any, BinaryIO, Callable, Deque, Iterator, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError
from edge_runtime.imaging.opencv import load_cv2, quiet
from edge_runtime.sinks import _mpeg4
from edge_runtime.sinks._packet import Packet

BEHIND, PATIENCE_S = 2, 1.0  # most packets in the queue; how long to wait for one


class CvEncoder:
    """Encodes images, and passes each packet on from its own thread.

    Args:
        fps: frames per second.
        size_wh: size of the images, in pixels; both sides are even.
        take: called with each packet.

    Raises:
        SinkError: OpenCV has no FFmpeg, or cannot encode such a size.
    """

    def __init__(self, fps: Fraction, size_wh: Tuple[int, int], take: Callable[[Packet], None]) -> None:
        self._take = take
        self._errors: List[Exception] = []
        self._times: Deque[float] = deque()
        self._room = threading.BoundedSemaphore(BEHIND)
        with _pipe() as (path, self._end):
            self._writer = _writer(path, fps, size_wh)
        self._thread = threading.Thread(target=self._pump, name="mpeg-4 packets", daemon=True)
        self._thread.start()

    def write(self, image: NDArray[np.uint8], at_s: float) -> None:
        """See `Encoder.write`."""
        if self._errors:
            raise self._errors[0]
        self._room.acquire(timeout=PATIENCE_S)
        self._times.append(at_s)
        self._writer.write(image)

    def close(self) -> None:
        """See `Encoder.close`."""
        self._writer.release()
        self._thread.join()
        if self._errors:
            raise self._errors[0]

    def _pump(self) -> None:
        """Reads to the end even after an error, because FFmpeg would wait for ever at a pipe without a reader."""
        with self._end as stream:
            for data in packets(stream):
                try:
                    if not self._errors:
                        self._take(self._packet(data))
                except Exception as error:
                    self._errors.append(error)
                with contextlib.suppress(ValueError):  # its image did not wait for a place
                    self._room.release()

    def _packet(self, data: bytes) -> Packet:
        key = _mpeg4.is_key(data)
        return Packet(data, key, _mpeg4.config(data) if key else b"", self._times.popleft())


def packets(stream: BinaryIO) -> Iterator[bytes]:
    """The packets of an AVI with a single track, in order."""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return
        kind, length = unpack("<4sI", head)
        if kind in (b"RIFF", b"LIST"):  # goes on with the content of the list
            stream.read(4)
            continue
        body = stream.read(length + (length & 1))
        if kind == b"00dc" and length:
            yield body[:length]


@contextlib.contextmanager
def _pipe() -> Iterator[Tuple[str, BinaryIO]]:
    """A pipe with a name, and its reading end. The name is removed when both ends are open."""
    with tempfile.TemporaryDirectory(prefix="edge-video-") as folder:
        path = os.path.join(folder, "packets.avi")
        os.mkfifo(path)
        # Opened before the writer, which would otherwise wait for it.
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
        try:
            yield path, stream
        except BaseException:
            stream.close()
            raise
        os.set_blocking(stream.fileno(), True)


def _writer(path: str, fps: Fraction, size_wh: Tuple[int, int]) -> Any:
    cv2 = load_cv2()
    with quiet():
        writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), float(fps), size_wh)
    if not writer.isOpened():
        size = f"{size_wh[0]}x{size_wh[1]} at {float(fps):g} fps"
        raise SinkError(f"OpenCV cannot write MPEG-4 of {size}", hint="this OpenCV may lack FFmpeg: try .avi")
    return writer
