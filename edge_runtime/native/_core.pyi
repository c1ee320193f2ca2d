"""The native core. Only ops.py calls it; it checks what would crash, ops.py checks what would confuse."""

from typing import Sequence

import numpy as np
from numpy.typing import NDArray

def simd_levels() -> list[str]:
    """Letterbox implementations this processor can run, best first; the last is always "portable"."""

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
    """Resizes (H, W, 3) uint8 BGR into out (3, model_h, model_w) float32; `simd` "" means the best."""

def extremes(values: NDArray[np.float32]) -> tuple[float, float, int]:
    """Smallest and largest finite value of (n,) float32, and how many are not finite."""

def histogram(values: NDArray[np.float32], width: float, counts: NDArray[np.int64]) -> None:
    """Adds (n,) float32 to counts (2 * half,): bin i is [(i - half) * width, (i - half + 1) * width)."""

class Decoder:
    """Executes a decode description; holds scratch memory, so one thread at a time."""

    def __init__(
        self,
        kind: str,
        levels: Sequence[tuple[int, int, float, float, int, float, Sequence[tuple[float, float]], Sequence[int]]],
        num_classes: int,
        activations: tuple[str, str, str],
        first_class: int,
        class_channel: int,
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
        """Takes a DecodeSpec apart; see `ops.Decoder`.

        Levels are (grid_w, grid_h, stride_x, stride_y, prior, scale_xy, anchors, views); views are the five numbers of
        box, score and objectness in a row, tensor -1 where there is no objectness. activations are those of box, class
        and objectness, powers those of class and objectness; class_channel -1 means none.
        """

    def required(self) -> list[int]:
        """Elements per image that each tensor must have at least."""

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
