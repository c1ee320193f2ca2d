"""Frames of pixels in the loop: nothing makes an image unless a reader asks, and then in a buffer of the ring."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Set

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.ring import Ring
from edge_runtime.types import Frame, Pixels, Result
from tests.loop.parts import Numbers, open_detector
from tests.native.test_pixels import FORMATS, picture


class Planes(Numbers):
    """Like a decoder: every frame has pixels of its own."""

    def __init__(self, count: int, format: str = "nv12") -> None:
        super().__init__(count)
        self._format = format
        self.lent = 0  # buffers, of which an image would be made

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        frame = super().read(np.zeros((1, 1, 3), np.uint8))
        self.lent += buffer is not None
        if frame is None:
            return None
        return Frame(None, self.name, frame.index, frame.timestamp_s, pixels=picture(self._format, 64, 48, frame.index))


class Asking:
    """A sink that asks for every image, or only notes which there are."""

    target = "asking"

    def __init__(self, asks: bool) -> None:
        self.asks, self.seen = asks, 0
        self.addresses: Set[int] = set()

    def write(self, result: Result) -> None:
        self.seen += 1
        if self.asks:
            image, pixels = result.frame.image, result.frame.pixels
            assert pixels is not None
            np.testing.assert_array_equal(image, pixels.bgr())
            self.addresses.add(image.ctypes.data)
        else:
            assert result.frame.made is None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("format", FORMATS)
def test_detection_makes_no_image(tmp_path: Path, format: str) -> None:
    sink, source = Asking(False), Planes(20, format)
    with open_detector(tmp_path) as detector:
        Pipeline(detector, source, [sink]).run()
    assert sink.seen == 20 and source.lent == 0


def test_images_are_made_in_the_buffers_of_the_ring(tmp_path: Path) -> None:
    sink = Asking(True)
    with open_detector(tmp_path) as detector:
        Pipeline(detector, Planes(200), [sink]).run()
    assert sink.seen == 200 and len(sink.addresses) < 20, len(sink.addresses)


def test_the_boxes_are_those_of_the_image(tmp_path: Path) -> None:
    pixels = picture("i420", 101, 57)
    with open_detector(tmp_path) as detector:
        one, other = detector(pixels), detector(pixels.bgr())
    assert one == other and len(one) == 1 and one.image_wh == other.image_wh == (101, 57)


def test_an_image_that_somebody_kept_is_not_written_over() -> None:
    ring, kept = Ring(1), []
    for index in range(3):
        lease = ring.take(1.0)
        assert lease is not None
        lease.fill(Frame(None, "a", index, 0.0, pixels=picture("nv12", 64, 48, index)))
        assert lease.frame is not None
        kept.append(lease.frame.image)
        lease.release()
    for index, image in enumerate(kept):
        np.testing.assert_array_equal(image, picture("nv12", 64, 48, index).bgr())


def test_a_frame_that_somebody_kept_still_makes_its_own_image() -> None:
    ring, frames = Ring(1), []
    for index in range(4):
        lease = ring.take(1.0)
        assert lease is not None
        frame = Frame(None, "a", index, 0.0, pixels=picture("nv12", 64, 48, index))
        lease.fill(frame)
        if index == 0:
            frame.image  # noqa: B018  so that the ring has a buffer
        else:
            frames.append(frame)
        del frame
        lease.release()
    for index, frame in enumerate(frames, 1):
        assert isinstance(frame.pixels, Pixels)
        np.testing.assert_array_equal(frame.image, picture("nv12", 64, 48, index).bgr())
