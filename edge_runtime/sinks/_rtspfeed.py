"""Gives pictures to an encoder of GStreamer while somebody watches."""

from __future__ import annotations

from fractions import Fraction
from time import monotonic
from typing import Any, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.gst import load_gst
from edge_runtime.sinks._i420 import I420
from edge_runtime.sinks._page import Page
from edge_runtime.types import Result

SOURCE = "pictures"  # name of the appsrc
LAUNCH = f"appsrc name={SOURCE} format=time is-live=true do-timestamp=true block=false"
MOST_WAITING = 2  # pictures before the encoder; of more, the newest are left out
STUCK_S = 5.0
SMALLEST = 16  # pixels of a side


class Feed:
    """The way into one pipeline. The first picture is black: it begins the stream before the next frame has come.

    Args:
        media: of GStreamer's server.
        size_wh: of the pictures; see `even`. Frames of another size are fitted in.
        fps: nominal frames per second.

    Attributes:
        media: as given.
        pictures: number of those that the encoder was given.
        fault: why it takes no more; "" if it does.
    """

    def __init__(self, media: Any, size_wh: Tuple[int, int], fps: float) -> None:
        self.media, self.pictures, self.fault = media, 0, ""
        width, height = size_wh
        self._page = Page(np.zeros((height, width, 3), np.uint8))
        self._i420 = I420(size_wh)
        self._bytes, self._planes = _planes(size_wh)
        self._gst, element = load_gst(), media.get_element()
        self._source = element.get_by_name(SOURCE)
        rate = Fraction(fps).limit_denominator(1001)
        caps = f"video/x-raw,format=I420,width={width},height={height},framerate={rate.numerator}/{rate.denominator}"
        self._source.set_property("caps", self._gst.Caps.from_string(caps))
        self._bus = element.get_parent().get_bus()
        self._bus.enable_sync_message_emission()
        self._listener = self._bus.connect("sync-message::error", lambda _, message: self._failed(message))
        self._moved_s = monotonic()
        self._push(self._page.image)

    def show(self, result: Result) -> None:
        """Draws a result and gives it to the encoder, or leaves it out if the encoder is late."""
        if self._source.get_property("current-level-bytes") < MOST_WAITING * self._bytes.nbytes:
            self._moved_s = monotonic()
            self._push(self._page.draw(result))
        elif monotonic() - self._moved_s > STUCK_S:
            self.fault = self.fault or f"the encoder takes no picture for {STUCK_S:g} s"

    def close(self) -> None:
        """Listens to nothing more. Until then this and the pipeline keep each other in memory."""
        self._bus.disconnect(self._listener)
        self._bus.disable_sync_message_emission()

    def _push(self, image: NDArray[np.uint8]) -> None:
        self._i420.write(image, self._planes)
        self._source.emit("push-buffer", self._gst.Buffer.new_wrapped(self._bytes.tobytes()))
        self.pictures += 1

    def _failed(self, message: Any) -> None:
        self.fault = self.fault or str(message.parse_error()[0].message)


def even(size_wh: Tuple[int, int], widest: int) -> Tuple[int, int]:
    """The size of the pictures of frames of this size: at most so wide, and even, as encoders want it."""
    scale = min(1.0, widest / size_wh[0])
    width, height = (max(SMALLEST, int(side * scale) // 2 * 2) for side in size_wh)
    return width, height


def _planes(size_wh: Tuple[int, int]) -> Tuple[NDArray[np.uint8], List[NDArray[np.uint8]]]:
    """Memory of an I420 picture as GStreamer lays it out, rows padded to four bytes, and its planes."""
    (width, height), half_w, half_h = size_wh, size_wh[0] // 2, size_wh[1] // 2
    row, half_row = -(-width // 4) * 4, -(-half_w // 4) * 4
    memory = np.zeros(row * height + 2 * half_row * half_h, np.uint8)
    luma, u, v = np.split(memory, [row * height, row * height + half_row * half_h])
    halves = [plane.reshape(half_h, half_row)[:, :half_w] for plane in (u, v)]
    return memory, [luma.reshape(height, row)[:, :width], *halves]
