"""Keeps the frames of a source that gives no encoded pictures, so that clips can show what was before an event."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Optional, Tuple

from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.types import Frame
from edge_runtime.types.packets import PacketRing

QUALITY, WIDEST = 80, 1280  # of the JPEG pictures; wider frames are scaled down
SOON = 30  # pictures, after which it is said what they take

log = logging.getLogger("edge_runtime")


class Recorder:
    """Encodes frames as JPEG for a ring, where the source does not fill it. It says once what that takes.

    Args:
        ring: None if nobody wants clips.
    """

    def __init__(self, ring: Optional[PacketRing]) -> None:
        self._ring = ring
        self._last: Tuple[int, Tuple[int, int]] = (0, (0, 0))  # beginnings of the source, and its size
        self._count = self._bytes = 0
        self._spent_s = 0.0

    def keep(self, frame: Frame, restarts: int = 0) -> Frame:
        """Keeps a frame if its source gives no encoded pictures. Returns the frame.

        Args:
            restarts: how often the source had begun again.
        """
        if self._ring is not None and self._ring.wants_frames:
            began_s, now = perf_counter(), (restarts, frame.image_wh)
            jpeg = _encoded(frame)
            self._ring.add_frame(jpeg, frame.timestamp_s, now != self._last)
            self._last = now
            self._count, self._bytes = self._count + 1, self._bytes + len(jpeg)
            self._spent_s += perf_counter() - began_s
            if self._count == SOON:
                self._say(frame.source)
        return frame

    def _say(self, source: str) -> None:
        each_ms, kb = self._spent_s / SOON * 1e3, self._bytes / SOON / 1e3
        how = f"{each_ms:.1f} ms of a core and {kb:.0f} kB each"
        log.warning("clips cannot copy the pictures of %s: each frame is encoded as JPEG for them, %s", source, how)


def _encoded(frame: Frame) -> bytes:
    cv2, image = load_cv2(), frame.image
    if image.shape[1] > WIDEST:
        height = max(1, round(image.shape[0] * WIDEST / image.shape[1]))
        image = cv2.resize(image, (WIDEST, height), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
