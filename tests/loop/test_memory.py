"""Nothing is allocated per frame once warm: what a frame takes is given back before the next."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from edge_runtime.backends import replay
from edge_runtime.detect.detector import Detector
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Frame
from tests.loop.parts import Numbers
from tests.native.test_pixels import picture
from tests.tiny import boxes_v8, write_onnx

WARM, FRAMES = 300, 2300


class Watch:
    """A sink that notes what is allocated when the loop is warm and at the end."""

    target = "watch"

    def __init__(self) -> None:
        self.seen, self.marks = 0, {}

    def write(self, result) -> None:
        self.seen += 1
        assert result.frame.image.shape == (240, 320, 3)
        if self.seen in (WARM, FRAMES):
            gc.collect()
            arrays = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)]
            )
            self.marks[self.seen] = sum(trace.size for trace in arrays.traces), tracemalloc.get_traced_memory()[0]

    def close(self) -> None:
        pass


class Planes(Numbers):
    """The same pixels again and again. The sink asks for their image each time."""

    pixels = picture("nv12", 320, 240)

    def read(self, buffer=None):
        frame = super().read(buffer)
        return frame and Frame(None, frame.source, frame.index, frame.timestamp_s, pixels=self.pixels)


def synthetic():
    return f"synthetic://320x240?frames={FRAMES + WARM}"


def of_pixels():
    return Planes(FRAMES + WARM)


@pytest.mark.parametrize("source", [synthetic, of_pixels])
def test_the_loop_is_flat(tmp_path, source):
    output = boxes_v8((32, 32, 16, 8, 0.9, 1), (10, 10, 4, 4, 0.7, 2))
    path = str(tmp_path / "m.replay.npz")
    replay.record(path, onnx_file.read_io(write_onnx(tmp_path / "m.onnx", {"output0": output})), [[output]])
    watch = Watch()
    tracemalloc.start()
    try:
        with Detector.open(path, flags=ModelFlags(family="yolo_v8", labels="a,b,c")) as detector:
            Pipeline(detector, source(), [watch]).run()
    finally:
        tracemalloc.stop()
    (arrays_warm, all_warm), (arrays_end, all_end) = watch.marks[WARM], watch.marks[FRAMES]
    # The boxes copied for the results in flight may differ by a few; one leaked byte per frame would show as 2,000.
    assert abs(arrays_end - arrays_warm) < 1024
    assert all_end - all_warm < 16 * 1024
