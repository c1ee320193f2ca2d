"""The native core. Only ops.py, device.py and tracking.py call it. It checks what would crash; they check the rest."""

from typing import Sequence

import numpy as np
from numpy.typing import NDArray

def simd_levels() -> list[str]:
    """Returns the letterbox implementations that this processor can run, best first; the last is always "portable"."""

def letterbox(
    image: NDArray[np.uint8],
    out: NDArray[np.float32],
    width: int,
    height: int,
    pad_x: int,
    pad_y: int,
    pad_value: int,
    swap_rb: bool,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    simd: str,
) -> None:
    """Resizes (H, W, 3) uint8 BGR into out (3, model_h, model_w) float32. `simd` "" means the best."""

def letterbox_pixels(
    format: str,
    planes: Sequence[NDArray[np.uint8]],
    src_w: int,
    src_h: int,
    colour: Sequence[int],
    out: NDArray[np.float32],
    width: int,
    height: int,
    pad_x: int,
    pad_y: int,
    pad_value: int,
    swap_rb: bool,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    simd: str,
) -> None:
    """Like `letterbox`, from planes of one of the formats of pictures.py. `colour` is from there."""

def to_bgr(
    format: str, planes: Sequence[NDArray[np.uint8]], colour: Sequence[int], out: NDArray[np.uint8], simd: str
) -> None:
    """Writes the BGR image, (H, W, 3) uint8, of planes of any format but bgr24 and bgrx."""

def extremes(values: NDArray[np.float32]) -> tuple[float, float, int]:
    """Returns the smallest and largest finite value of (n,) float32, and how many are not finite."""

def histogram(values: NDArray[np.float32], width: float, counts: NDArray[np.int64]) -> None:
    """Counts (n,) float32 in counts (2 * half,) int64: bin i is [(i - half) * width, (i - half + 1) * width)."""

class Decoder:
    """Applies a decode description. Its calls share memory, so only one thread may use it at a time."""

    def __init__(
        self,
        kind: str,
        levels: Sequence[tuple[int, int, float, float, int, float, Sequence[tuple[float, float]], Sequence[int]]],
        num_classes: int,
        activations: tuple[str, str, str],
        first_class: int,
        last_classes: int,
        bins: int,
        cell_offset: float,
        box_scale: tuple[float, float],
        powers: tuple[float, float],
        priors: NDArray[np.float32] | None,
        variance: tuple[float, float],
        max_exponent: float,
        nms: bool,
        num_tensors: int,
    ) -> None:
        """Takes the fields of a DecodeSpec; see `ops.Decoder`.

        Levels are (grid_w, grid_h, stride_x, stride_y, prior, scale_xy, anchors, views). `views` holds the five numbers
        of box, score, objectness, class number and count, one after the other; tensor is -1 for one that is absent.
        `activations` are those of box, class and objectness, `powers` those of class and objectness.
        """

    def required(self) -> list[int]:
        """Returns the least number of elements per image that each tensor must have."""

    def run(
        self,
        tensors: Sequence[NDArray[np.float32]],
        batch: int,
        frames: NDArray[np.float64],
        conf: float,
        iou: float,
        max_det: int,
        multi_label: bool,
        class_mask: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        counts: NDArray[np.int32],
    ) -> None:
        """Fills boxes (batch, max_det, 6) and counts (batch,).

        frames is (batch, 6): scale_x, scale_y, pad_x, pad_y, image_width, image_height. class_mask is (num_classes,),
        0 = not reported.
        """

class Gpu:
    """A GPU's primary context; see `device.Gpu`."""

    def __init__(self, library: str, number: int) -> None: ...
    def lend(self, shape: list[int], mapped: bool) -> NDArray[np.uint8]:
        """Returns an array of any shape in pinned memory."""

class Layout:
    """Pictures of one format and size."""

    def __init__(
        self, words: Sequence[int], frame: Sequence[float], shapes: Sequence[Sequence[int]], u: int, v: int
    ) -> None:
        """Takes the 23 words of csrc/pixel.h with the first byte in a plane for its address, and no strides.

        frame is a row of `Decoder.run`'s frames, shapes are those of the planes, u and v the numbers of the planes that
        hold U and V, or -1.
        """

class Slot:
    """See `device.Slot`."""

    def __init__(
        self, gpu: Gpu, stream: int, words: NDArray[np.int64], frames: NDArray[np.float64], mapped: bool
    ) -> None: ...
    def set_graph(self, graph: int) -> None:
        """0 for none."""

    def enqueue(self, pictures: tuple[tuple[Layout, tuple[NDArray[np.uint8], ...]], ...]) -> None:
        """Copies and launches."""

    def started(self) -> None:
        """Records the end of the batch."""

    def wait(self) -> tuple[float, float, float]:
        """Returns milliseconds of filling, copying, and the rest."""

    def close(self) -> None:
        """Frees everything."""

class Tracker:
    """See `tracking.ByteTrack`."""

    def __init__(
        self,
        sure: float,
        unsure: float,
        overlap: float,
        low_overlap: float,
        lost_s: float,
        min_hits: int,
        by_class: bool,
    ) -> None: ...
    def update(
        self,
        xyxy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        class_id: NDArray[np.int32],
        time_s: float,
        ids: NDArray[np.int32],
    ) -> None:
        """Fills ids (n,)."""

    def tracks(self) -> NDArray[np.float64]:
        """Returns (k, 7): x1, y1, x2, y2, id, class_id, seen_s."""

    def state(self) -> tuple[NDArray[np.float64], float, int]:
        """Returns (k, 25), the time of the last frame and the last id."""

    def restore(self, rows: NDArray[np.float64], time_s: float, last_id: int) -> None:
        """Goes on from what `state` has returned."""

    def end_all(self) -> None:
        """Ends all tracks."""
