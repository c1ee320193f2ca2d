"""Packs the parameters of kernels into plain arrays, in the layouts that csrc/packed.h and csrc/pixel.h read."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model import geometry
from edge_runtime.model.decode import ACTIVATIONS, BOX_KINDS, DecodeSpec, Level
from edge_runtime.model.geometry import Letterbox
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native.device import Layout
from edge_runtime.native.ops import frame_row, view_numbers
from edge_runtime.native.pictures import Picture, colour, shapes, size_of

ONE = 128 * 16384  # kOne of letterbox.h
CANDIDATE_BYTES = 24  # Candidate of kernels.cu
IMAGE_WORDS = 23  # Image of pixel.h
CHROMA = {  # of U and V: plane and first byte; bytes from one sample to the next; 1 if two rows share a sample
    "nv12": ((1, 0), (1, 1), 2, 1),
    "i420": ((1, 0), (2, 0), 1, 1),
    "yuv422p": ((1, 0), (2, 0), 1, 0),
    "yuyv": ((0, 1), (0, 3), 4, 0),
    "gray8": ((0, 0), (0, 0), 0, 0),
}


def pack_decode(spec: DecodeSpec, thresholds: Thresholds) -> Tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns (words, numbers) of a decode description and its thresholds, (n,) each; see csrc/packed.h."""
    numbers: List[float] = [
        thresholds.conf, thresholds.iou, spec.cell_offset, *spec.box_scale, spec.class_power, spec.objectness_power,
        *spec.variance, spec.max_exponent,
    ]  # fmt: skip
    for level in spec.levels:
        numbers += [*level.stride, level.scale_xy]
    words: List[int] = []
    first = 0
    for level in spec.levels:
        words += [*level.grid_wh, len(level.anchors), level.prior, len(numbers), first]
        words += view_numbers(level)
        numbers += [size for anchor in level.anchors for size in anchor]
        first += boxes_of(level)
    rule = [
        BOX_KINDS.index(spec.kind),
        *(ACTIVATIONS.index(a) for a in (spec.box_activation, spec.class_activation, spec.objectness_activation)),
        spec.num_classes, spec.first_class, spec.last_classes, spec.bins,
        int(spec.nms), int(thresholds.per_box_classes), thresholds.max_det, len(spec.levels), len(numbers),
    ]  # fmt: skip
    priors = np.zeros(0, np.float32) if spec.priors is None else spec.priors.astype(np.float32).reshape(-1)
    return np.array(rule + words, np.int64), np.concatenate([np.array(numbers, np.float32), priors])


def boxes_of(level: Level) -> int:
    """Returns the number of boxes of one grid."""
    return level.grid_wh[0] * level.grid_wh[1] * len(level.anchors)


def boxes(spec: DecodeSpec) -> int:
    """Returns the number of boxes of all grids. The kernel that finds candidates has one thread for each."""
    return sum(boxes_of(level) for level in spec.levels)


def candidate_capacity(spec: DecodeSpec, thresholds: Thresholds) -> int:
    """Returns the largest possible number of candidates of one image."""
    return boxes(spec) * (spec.num_classes if thresholds.per_box_classes else 1)


def normalisation(spec: ModelSpec) -> NDArray[np.float32]:
    """Returns the scale and bias of blue, green and red, (6,) float32, as letterbox.h computes them."""
    mean, std = (np.array(values, np.float32).astype(np.float64) for values in (spec.mean, spec.std))
    order = slice(None, None, -1 if spec.color == "rgb" else 1)
    return np.concatenate([(1.0 / (std * ONE))[order], (-mean / std)[order]]).astype(np.float32)


def pack_picture(picture: Picture, addresses: Sequence[int], strides: Sequence[int], box: Letterbox) -> Tuple[int, ...]:
    """Returns one picture as the letterbox kernel reads it: (23,) words; see csrc/pixel.h.

    Args:
        picture: its format and size.
        addresses: address of the first byte of each plane, as the kernel sees it.
        strides: bytes from one row of each plane to the next.
        box: where the picture lies in the input.
    """
    width, height = size_of(picture)
    place = (box.width, box.height, box.pad_x, box.pad_y)
    format = _format(picture)
    if isinstance(picture, np.ndarray) or format not in CHROMA:
        step = 4 if format == "bgrx" else 3
        return (addresses[0], width, height, strides[0], *place, step, *(0,) * 14)
    u, v, step, shift = CHROMA[format]
    return (
        addresses[0], width, height, strides[0], *place, 2 if format == "yuyv" else 1,
        addresses[u[0]] + u[1], addresses[v[0]] + v[1], strides[u[0]], strides[v[0]], step, shift,
        *colour(format, picture.matrix, picture.full_range),
    )  # fmt: skip


def layout_of(picture: Picture, spec: ModelSpec) -> Layout:
    """Returns what the device's loop must know of pictures of this format and size."""
    image_wh, format = size_of(picture), _format(picture)
    box = geometry.fit(image_wh, spec.input_wh, spec.resize)
    planes = shapes(*image_wh)[format]
    u, v = [plane for plane, _ in CHROMA[format][:2]] if format in CHROMA else (-1, -1)
    return Layout(pack_picture(picture, [0] * 3, [0] * 3, box), frame_row(box, image_wh), planes, u, v)


def _format(picture: Picture) -> str:
    return "bgr24" if isinstance(picture, np.ndarray) else picture.format
