"""The native operations as plain functions, which check their arguments and raise clear errors."""

from __future__ import annotations

from typing import Iterable, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError
from edge_runtime.model import geometry
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.geometry import Letterbox
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import _core
from edge_runtime.native.pictures import Picture, Planes, check_picture, check_pixels, colour, described, size_of

FrameRow = Tuple[float, float, float, float, float, float]
FLAT = "pass finite values, np.ascontiguousarray(values, np.float32).reshape(-1)"
NO_VIEW = View(-1, 0, 0, 0, 0)


def simd_levels() -> List[str]:
    """Returns the letterbox implementations that this processor can run, best first."""
    return _core.simd_levels()


def preprocess(picture: Picture, spec: ModelSpec, box: Letterbox, out: NDArray[np.float32], simd: str = "") -> None:
    """Resizes, pads, reorders and normalises one picture in one pass. Releases the GIL.

    Args:
        picture: (H, W, 3) uint8 BGR, whose rows are contiguous and lie at any distance; or pixels of another format.
            The result for pixels is that for their BGR image, to the bit, and only the pixels that it needs are
            converted.
        spec: colour order, mean, std and pad value.
        box: placement from `geometry.fit`.
        out: (3, model_height, model_width) float32, C-contiguous; every element is written.
        simd: one of `simd_levels()`; empty for the best one. All give exactly the same result.

    Raises:
        SpecError: an array has the wrong shape, dtype or layout, or the placement does not fit into `out`.
    """
    check_picture(picture)
    _check_out(out, box)
    if simd and simd not in simd_levels():
        raise SpecError(f"no letterbox {simd!r} on this processor", hint=f"expected one of: {', '.join(simd_levels())}")
    _letterbox(picture, spec, box, out, simd)


def _letterbox(picture: Picture, spec: ModelSpec, box: Letterbox, out: NDArray[np.float32], simd: str = "") -> None:
    target = (
        out, box.width, box.height, box.pad_x, box.pad_y,
        spec.pad_value, spec.color == "rgb", spec.mean, spec.std, simd,
    )  # fmt: skip
    try:
        if isinstance(picture, np.ndarray):
            _core.letterbox(picture, *target)
        else:
            _core.letterbox_pixels(
                picture.format, picture.planes, picture.width, picture.height, _colour(picture), *target
            )
    except ValueError as error:
        raise SpecError(str(error), hint="use geometry.fit") from error


def prepare_image(picture: Picture, spec: ModelSpec, out: NDArray[np.float32]) -> FrameRow:
    """Prepares one picture for a model of that spec. All backends and the calibration use this function.

    Args:
        picture: see `preprocess`.
        out: (3, model_height, model_width) float32, C-contiguous; every element is written.

    Returns:
        The row of this picture for the `frames` argument of `Decoder`.

    Raises:
        SpecError: see `preprocess`.
    """
    check_picture(picture)
    image_wh = size_of(picture)
    box = geometry.fit(image_wh, spec.input_wh, spec.resize)
    _check_out(out, box)
    _letterbox(picture, spec, box, out)
    return frame_row(box, image_wh)


def to_bgr(pixels: Planes, out: NDArray[np.uint8], simd: str = "") -> None:
    """Writes pixels into (H, W, 3) uint8 BGR, C-contiguous. Releases the GIL; csrc/yuv.h has the formula.

    Raises:
        SpecError: see `check_pixels`, or `out` does not fit.
    """
    check_pixels(pixels)
    if pixels.format in ("bgr24", "bgrx"):
        return np.copyto(out, pixels.planes[0][..., :3])
    try:
        _core.to_bgr(pixels.format, pixels.planes, _colour(pixels), out, simd)
    except ValueError as error:
        raise SpecError(str(error), hint="pass an array (H, W, 3) uint8") from error


def _colour(pixels: Planes) -> Sequence[int]:
    return colour(pixels.format, pixels.matrix, pixels.full_range)


def _check_out(out: NDArray[np.float32], box: Letterbox) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.float32 or out.ndim != 3 or out.shape[0] != 3:
        raise SpecError(f"out is {described(out)}, expected (3, H, W) float32", hint="np.empty((3, h, w), np.float32)")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise SpecError("out is read-only or not C-contiguous", hint="pass np.empty((3, h, w), np.float32)")
    room_x, room_y = out.shape[2] - box.width, out.shape[1] - box.height
    if min(box.width, box.height) < 1 or not (0 <= box.pad_x <= room_x and 0 <= box.pad_y <= room_y):
        raise SpecError(f"{box} does not fit into out, which is {described(out)}", hint="use geometry.fit")


class Decoder:
    """Turns head tensors into boxes in image pixels: decode, score filter, NMS, letterbox undo and clip in one pass.

    Only one thread may call it at a time, because all calls use the same memory. A second thread is refused.

    Args:
        decode: the description from the head's `describe`.
        shapes: shape of every output tensor, batch first.

    Raises:
        SpecError: the description reaches outside the tensors.
    """

    def __init__(self, decode: DecodeSpec, shapes: Sequence[Tuple[int, ...]]) -> None:
        self.num_classes = decode.num_classes
        self._core = _core_decoder(decode, len(shapes))
        for number, (needed, shape) in enumerate(zip(self._core.required(), shapes)):
            held = int(np.prod(shape[1:]))
            if needed > held:
                raise SpecError(
                    f"output {number} is {tuple(shape)} and holds {held} values per image, the head reads {needed}",
                    hint="check --family, and that --labels has as many names as the model has classes",
                )

    def __call__(
        self,
        tensors: Sequence[NDArray[np.float32]],
        frames: NDArray[np.float64],
        thresholds: Thresholds,
        class_mask: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        counts: NDArray[np.int32],
    ) -> None:
        """Decodes a batch. Releases the GIL. Allocates no memory after the first calls.

        Args:
            tensors: the model's outputs, float32, C-contiguous, batch first.
            frames: (B, 6) float64, rows from `frame_row`.
            class_mask: (num_classes,) uint8 from `class_mask`.
            boxes: (B, max_det, 6) float32, filled with `[x1, y1, x2, y2, score, class_id]`, image pixels, best first.
            counts: (B,) int32, filled with the number of rows that are valid.

        Raises:
            SpecError: an array has another shape, dtype or layout, or another thread is running this decoder.
        """
        try:
            self._core.run(
                tensors, len(frames), frames, thresholds.conf, thresholds.iou, thresholds.max_det,
                thresholds.per_box_classes, class_mask, boxes, counts,
            )  # fmt: skip
        except ValueError as error:
            raise SpecError(str(error), hint="np.ascontiguousarray(array, dtype) makes an array that fits") from error
        except RuntimeError as error:
            raise SpecError(str(error), hint="make a Decoder for each thread") from error

    def class_mask(self, class_ids: Iterable[int]) -> NDArray[np.uint8]:
        """Returns a mask (num_classes,) uint8: 1 for each class that is reported.

        Raises:
            SpecError: the model does not have one of the class ids.
        """
        mask = np.zeros(self.num_classes, np.uint8)
        for class_id in class_ids:
            if not 0 <= class_id < self.num_classes:
                raise SpecError(f"class {class_id} does not exist", hint=f"the model has 0..{self.num_classes - 1}")
            mask[class_id] = 1
        return mask


def _core_decoder(decode: DecodeSpec, num_tensors: int) -> _core.Decoder:
    try:
        return _core.Decoder(
            decode.kind,
            [_flat(level) for level in decode.levels],
            decode.num_classes,
            (decode.box_activation, decode.class_activation, decode.objectness_activation),
            decode.first_class,
            decode.last_classes,
            decode.bins,
            decode.cell_offset,
            decode.box_scale,
            (decode.class_power, decode.objectness_power),
            decode.priors,
            decode.variance,
            decode.max_exponent,
            decode.nms,
            num_tensors,
        )
    except ValueError as error:
        raise SpecError(str(error), hint="check the head's describe()") from error


def extremes(values: NDArray[np.float32]) -> Tuple[float, float, int]:
    """Returns the smallest and the largest finite value of (n,) float32, and how many values are not finite.

    Raises:
        SpecError: the array is empty, or has another shape, dtype or layout.
    """
    try:
        return _core.extremes(values)
    except ValueError as error:
        raise SpecError(str(error), hint=FLAT) from error


def histogram(values: NDArray[np.float32], width: float, counts: NDArray[np.int64]) -> None:
    """Counts (n,) float32 in `counts` (2 * half,) int64: bin i is [(i - half) * width, (i - half + 1) * width).

    Raises:
        SpecError: the array is empty, or has another shape, dtype or layout, or the values or the width are not finite.
    """
    try:
        _core.histogram(values, width, counts)
    except (TypeError, ValueError) as error:
        raise SpecError(str(error).split("\n")[0], hint=FLAT) from error


def frame_row(box: Letterbox, image_wh: Tuple[int, int]) -> FrameRow:
    """Returns one row of the `frames` argument of `Decoder`."""
    return (box.scale_x, box.scale_y, box.pad_x, box.pad_y, image_wh[0], image_wh[1])


def _flat(
    level: Level,
) -> Tuple[int, int, float, float, int, float, Sequence[Tuple[float, float]], Sequence[int]]:
    return (*level.grid_wh, *level.stride, level.prior, level.scale_xy, level.anchors, view_numbers(level))


def view_numbers(level: Level) -> List[int]:
    """Returns the views of box, score, objectness, class number and count, five numbers each, for the native code."""
    views = (level.box, level.score, level.objectness, level.class_id, level.count)
    given = (view or NO_VIEW for view in views)
    return [number for v in given for number in (v.tensor, v.offset, v.anchor, v.cell, v.channel)]
