"""MPEG-4 pictures from OpenCV's FFmpeg, one by one.

OpenCV writes files alone, hides what goes wrong with them, and hands FFmpeg no options of a container: a quarter of a
megabyte, on a calm scene the whole video, stays in memory. So it is given a pipe for a file, which FFmpeg never keeps
anything back from. AVI is the container whose packets are easiest to take out again.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from fractions import Fraction
from struct import unpack
from typing import Any, BinaryIO, Callable, Iterator, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError
from edge_runtime.imaging.opencv import load_cv2, quiet

BEHIND, PATIENCE_S = 2, 1.0  # packets on their way at most; how long one is waited for
PICTURE, GROUP = b"\0\0\1\xb6", b"\0\0\1\xb3"  # start codes


class Mpeg4Encoder:
    """Encodes images, and hands each packet on from a thread of its own.

    Args:
        fps: frames per second.
        size_wh: of the images, in pixels. An odd one loses its last column or row.
        take: called with each packet.

    Raises:
        SinkError: OpenCV has no FFmpeg, or cannot encode such a size.
    """

    def __init__(self, fps: Fraction, size_wh: Tuple[int, int], take: Callable[[bytes], None]) -> None:
        self._take = take
        self._errors: List[Exception] = []
        self._room = threading.Semaphore(BEHIND)
        with _pipe() as (path, self._end):
            self._writer = _writer(path, fps, size_wh)
        self._thread = threading.Thread(target=self._pump, name="mpeg-4 packets", daemon=True)
        self._thread.start()

    def write(self, image: NDArray[np.uint8]) -> None:
        """Takes (H, W, 3) uint8 BGR.

        Raises:
            SinkError: an earlier packet could not be taken.
        """
        if self._errors:
            raise self._errors[0]
        self._room.acquire(timeout=PATIENCE_S)
        self._writer.write(image)

    def close(self) -> None:
        """Returns when every packet was taken; harmless when repeated.

        Raises:
            SinkError: one of them could not.
        """
        self._writer.release()
        self._thread.join()
        if self._errors:
            raise self._errors[0]

    def _pump(self) -> None:
        """Reads to the end whatever happens: FFmpeg would wait for ever at a pipe that nobody reads."""
        with self._end as stream:
            for packet in packets(stream):
                try:
                    if not self._errors:
                        self._take(packet)
                except Exception as error:
                    self._errors.append(error)
                self._room.release()


def packets(stream: BinaryIO) -> Iterator[bytes]:
    """The packets of an AVI with a single track, in their order."""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return
        kind, length = unpack("<4sI", head)
        if kind in (b"RIFF", b"LIST"):  # goes on with what is in it
            stream.read(4)
            continue
        body = stream.read(length + (length & 1))
        if kind == b"00dc" and length:
            yield body[:length]


def is_key(packet: bytes) -> bool:
    """Whether a picture can be decoded without others."""
    at = packet.find(PICTURE) + len(PICTURE)
    return packet[at] >> 6 == 0


def config(packet: bytes) -> bytes:
    """What a decoder needs before the first picture; a packet that is a key begins with it."""
    return packet[: min(at for at in (packet.find(GROUP), packet.find(PICTURE)) if at >= 0)]


@contextlib.contextmanager
def _pipe() -> Iterator[Tuple[str, BinaryIO]]:
    """A pipe with a name, and its reading end. The name is gone as soon as both ends are open."""
    with tempfile.TemporaryDirectory(prefix="edge-video-") as folder:
        path = os.path.join(folder, "packets.avi")
        os.mkfifo(path)
        end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # there before the writer, which else would wait for it
        try:
            yield path, os.fdopen(end, "rb", closefd=True)
        except BaseException:
            os.close(end)
            raise
        os.set_blocking(end, True)


def _writer(path: str, fps: Fraction, size_wh: Tuple[int, int]) -> Any:
    cv2 = load_cv2()
    with quiet():
        writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), float(fps), size_wh)
    if not writer.isOpened():
        size = f"{size_wh[0]}x{size_wh[1]} at {float(fps):g} fps"
        raise SinkError(f"OpenCV cannot write MPEG-4 of {size}", hint="this OpenCV may lack FFmpeg: try .avi")
    return writer
