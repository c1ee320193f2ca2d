"""The native core refuses what it cannot work on: NaN, nothing, sizes of zero, other layouts; it never crashes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.errors import SpecError
from edge_runtime.model import geometry
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import _core, ops
from edge_runtime.native.pictures import colour

NAN, INF = float("nan"), float("inf")
ONES = np.ones(20, np.float32)
SPEC = ModelSpec("yolox", (32, 32))
VIEW = View(0, 0, 0, 6, 1)
DECODE = DecodeSpec("cxcywh", (Level((10, 1), box=VIEW, score=replace(VIEW, offset=4)),), 2)


def bins(size: int = 8) -> np.ndarray:
    return np.zeros(size, np.int64)


@pytest.mark.parametrize(
    "arguments",
    [
        (np.array([1, NAN], np.float32), 1.0, bins()), (np.full(5000, NAN, np.float32), 1.0, bins()),
        (np.array([INF], np.float32), 1.0, bins()), (np.array([-INF, 1], np.float32), 1.0, bins()),
        (np.zeros(0, np.float32), 1.0, bins()), (ONES, NAN, bins()), (ONES, INF, bins()), (ONES, 0.0, bins()),
        (ONES, -1.0, bins()), (ONES, 1e-45, bins()), (ONES, 1.0, bins(0)), (ONES, 1.0, bins(7)),
        (ONES[::2], 1.0, bins()), (ONES[::-1], 1.0, bins()), (ONES, 1.0, bins(16)[::2]),
        (ONES.astype(">f4"), 1.0, bins()),
        (np.broadcast_to(np.float32(1), 1 << 40), 1.0, bins()), (ONES.astype(np.float16), 1.0, bins()),
        (ONES, 1.0, bins().astype(np.int32)), (None, 1.0, bins()), (ONES, "wide", bins()), (ONES, 1.0, None),
    ],
)  # fmt: skip
def test_histogram_refuses(arguments):
    counts = arguments[2]
    with pytest.raises(SpecError) as caught:
        ops.histogram(*arguments)
    assert caught.value.hint and "\n" not in str(caught.value)
    assert counts is None or not counts.any(), "nothing was counted"


def test_histogram_counts_what_lies_outside_in_the_last_bins():
    counts = bins()
    ops.histogram(np.array([-1e38, 1e38, -1e-45, 1e-45, 0, -0.0], np.float32), 2.0**20, counts)
    assert counts.tolist() == [1, 0, 0, 1, 3, 0, 0, 1]


@pytest.mark.parametrize("values", [np.zeros(0, np.float32), ONES[::2], ONES.astype(float), None, ONES.reshape(4, 5)])
def test_extremes_refuses(values):
    with pytest.raises(SpecError):
        ops.extremes(values)


def letterbox(**change):
    image, out = np.zeros((8, 6, 3), np.uint8), np.full((3, 32, 32), 7, np.float32)
    arguments = {"image": image, "out": out, "width": 24, "height": 32, "pad_x": 4, "pad_y": 0, "pad_value": 114,
                 "swap_rb": True, "mean": (0.0,) * 3, "std": (1.0,) * 3, "simd": "", **change}  # fmt: skip
    _core.letterbox(*arguments.values())


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0}, {"height": 0}, {"width": -1}, {"width": 33}, {"height": 33}, {"pad_x": -1}, {"pad_x": 9},
        {"pad_y": 1}, {"pad_x": 2**31 - 1}, {"pad_value": 256}, {"pad_value": -1}, {"mean": (NAN, 0.0, 0.0)},
        {"std": (1.0, 0.0, 1.0)}, {"std": (1.0, NAN, 1.0)}, {"std": (1.0, INF, 1.0)}, {"std": (-1.0, 1.0, 1.0)},
        {"image": np.zeros((0, 6, 3), np.uint8)}, {"image": np.zeros((8, 0, 3), np.uint8)},
        {"image": np.zeros((8, 6, 4), np.uint8)}, {"image": np.zeros((8, 6, 3), np.int8)},
        {"image": np.zeros((8, 12, 3), np.uint8)[:, ::2]}, {"image": np.zeros((8, 6, 3), np.uint8)[:, ::-1]},
        {"image": np.zeros((3, 8, 6), np.uint8).transpose(1, 2, 0)}, {"out": np.zeros((3, 32, 32))},
        {"image": np.broadcast_to(np.uint8(1), (8, 6, 3))},
        {"out": np.zeros((3, 0, 0), np.float32)}, {"out": np.zeros((3, 32, 64), np.float32)[:, :, ::2]},
    ],
    ids=str,
)  # fmt: skip
def test_letterbox_refuses(change):
    letterbox()
    with pytest.raises(ValueError):
        letterbox(**change)


def letterbox_pixels(**change):
    planes = np.zeros((8, 6), np.uint8), np.zeros((4, 3, 2), np.uint8)
    arguments = {"format": "nv12", "planes": planes, "src_w": 6, "src_h": 8,
                 "colour": colour("nv12", "bt601", False), "out": np.full((3, 32, 32), 7, np.float32), "width": 24,
                 "height": 32, "pad_x": 4, "pad_y": 0, "pad_value": 114, "swap_rb": True, "mean": (0.0,) * 3,
                 "std": (1.0,) * 3, "simd": "", **change}  # fmt: skip
    _core.letterbox_pixels(*arguments.values())
    whole = np.zeros((arguments["src_h"], arguments["src_w"], 3), np.uint8)
    _core.to_bgr(arguments["format"], arguments["planes"], arguments["colour"], whole, arguments["simd"])


@pytest.mark.parametrize(
    "change",
    [
        {"format": "bgr24"}, {"format": "bgrx"}, {"format": "i420"}, {"format": "yuv422p"}, {"format": "yuyv"},
        {"format": "gray"}, {"planes": ()}, {"planes": (np.zeros((8, 6), np.uint8),)}, {"src_w": 7}, {"src_w": 5},
        {"src_h": 7}, {"src_h": 9}, {"src_w": 0}, {"src_h": -1}, {"width": 33}, {"pad_x": -1}, {"simd": "mmx"},
        {"planes": (np.zeros((8, 6), np.uint8), np.zeros((4, 3), np.uint8))},
        {"planes": (np.zeros((8, 6), np.uint8), np.zeros((3, 3, 2), np.uint8))},
        {"planes": (np.zeros((8, 6), np.uint8), np.zeros((4, 3, 4), np.uint8)[..., ::2])},
        {"planes": (np.zeros((8, 12), np.uint8)[:, ::2], np.zeros((4, 3, 2), np.uint8))},
        {"planes": (np.zeros((8, 6), np.int8), np.zeros((4, 3, 2), np.uint8))},
        {"colour": (1 << 16, 0, 0, 0, 0, 0, 0, 0)}, {"colour": (-1, 0, 0, 0, 0, 0, 0, 0)},
        {"colour": (16384, 34610, 0, 0, 0, 0, 0, 0)}, {"colour": (16384, 0, 0, 0, 0, 0, 1 << 14, 0)},
        {"colour": (16384, 0, 0, 0, 0, 3 << 14, 0, 0)}, {"colour": (16384,) * 7},
    ],
    ids=str,
)  # fmt: skip
def test_letterbox_of_pixels_refuses(change):
    letterbox_pixels()
    with pytest.raises((ValueError, TypeError)):
        letterbox_pixels(**change)


@pytest.mark.parametrize("rows", [slice(None, None, -1), slice(None, None, 3), slice(5, 6)], ids=str)
def test_rows_may_lie_at_any_distance(rows):
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    whole, part = np.empty((2, 3, 32, 32), np.float32)
    ops.prepare_image(np.ascontiguousarray(image[rows]), SPEC, whole)
    ops.prepare_image(image[rows], SPEC, part)
    np.testing.assert_array_equal(whole, part)


def test_one_row_for_all():
    image = np.broadcast_to(np.arange(60, dtype=np.uint8).reshape(1, 20, 3), (1000, 20, 3))
    whole, part = np.empty((2, 3, 32, 32), np.float32)
    ops.prepare_image(image.copy(), SPEC, whole)
    ops.prepare_image(image, SPEC, part)
    np.testing.assert_array_equal(whole, part)


def decode(decoder: ops.Decoder, tensors=None, frames=None, mask=None):
    tensors = np.zeros((1, 10, 6), np.float32) if tensors is None else tensors
    frames = np.array([ops.frame_row(geometry.fit((64, 64), (32, 32)), (64, 64))]) if frames is None else frames
    mask = np.ones(2, np.uint8) if mask is None else mask
    counts = np.zeros(len(frames), np.int32)
    boxes = np.zeros((len(frames), Thresholds().max_det, 6), np.float32)
    decoder([tensors], frames, Thresholds(), mask, boxes, counts)
    return counts


@pytest.mark.parametrize("value", [NAN, INF, -INF, 1e38, -1e-45])
def test_the_decoder_finds_nothing_in_numbers_that_are_none(value):
    assert decode(ops.Decoder(DECODE, [(1, 10, 6)]), np.full((1, 10, 6), value, np.float32)).tolist() == [0]


@pytest.mark.parametrize(("place", "value"), [(k, v) for k in range(6) for v in (NAN, INF)] + [(0, -0.5), (4, -1.0)])
def test_the_decoder_refuses_frames_that_are_none(place, value):
    frames = np.array([ops.frame_row(geometry.fit((64, 64), (32, 32)), (64, 64))])
    frames[0, place] = value
    with pytest.raises(SpecError, match="frames"):
        decode(ops.Decoder(DECODE, [(1, 10, 6)]), frames=frames)


def test_a_place_without_an_image_has_no_boxes():
    full = np.tile(np.array([8, 8, 4, 4, 1, 0], np.float32), (2, 10, 1))
    frames = np.array([ops.frame_row(geometry.fit((64, 64), (32, 32)), (64, 64)), (0,) * 6], np.float64)
    assert decode(ops.Decoder(DECODE, [(2, 10, 6)]), full, frames).tolist() == [1, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"tensors": np.zeros((0, 10, 6), np.float32)}, {"tensors": np.zeros((1, 10, 6))}, {"frames": np.zeros((0, 6))},
        {"tensors": np.zeros((1, 10, 12), np.float32)[:, :, ::2]},
        {"tensors": np.zeros((1, 10, 6), np.float32)[:, ::-1]},
        {"tensors": np.float32(1)}, {"tensors": np.zeros((1, 9, 6), np.float32)}, {"mask": np.ones(3, np.uint8)},
        {"mask": np.ones(2)}, {"tensors": np.zeros((1, 10, 6), ">f4")},
    ],
)  # fmt: skip
def test_the_decoder_refuses_arrays(change):
    with pytest.raises(SpecError):
        decode(ops.Decoder(DECODE, [(1, 10, 6)]), **change)


@pytest.mark.parametrize("limits", [(NAN, 0.5, 10), (0.5, NAN, 10), (-1, 0.5, 10), (0.5, 2, 10), (0.5, 0.5, 0)])
def test_the_core_refuses_thresholds(limits):
    decoder = ops.Decoder(DECODE, [(1, 10, 6)])
    frames = np.array([[1.0, 1.0, 0.0, 0.0, 32.0, 32.0]])
    boxes, counts = np.zeros((1, 10, 6), np.float32), np.zeros(1, np.int32)
    with pytest.raises(ValueError):
        decoder._core.run(
            [np.zeros((1, 10, 6), np.float32)], 1, frames, *limits, False, np.ones(2, np.uint8), boxes, counts
        )


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize(
    "change",
    [
        lambda v: {"cell_offset": v}, lambda v: {"box_scale": (1.0, v)}, lambda v: {"class_power": v},
        lambda v: {"objectness_power": v}, lambda v: {"variance": (v, 1.0)},
        lambda v: {"levels": (replace(DECODE.levels[0], stride=(v, 1.0)),)},
        lambda v: {"levels": (replace(DECODE.levels[0], scale_xy=v),)},
        lambda v: {"levels": (replace(DECODE.levels[0], anchors=((1.0, v),)),)},
        lambda v: {"kind": "prior", "priors": np.full((10, 4), v, np.float32)},
    ],
)  # fmt: skip
def test_a_description_of_numbers_that_are_none_is_refused(change, value):
    with pytest.raises(SpecError, match="finite"):
        ops.Decoder(replace(DECODE, **change(value)), [(1, 10, 6)])


def test_an_exponent_has_no_bound_or_one():
    ops.Decoder(replace(DECODE, max_exponent=INF), [(1, 10, 6)])
    with pytest.raises(SpecError):
        ops.Decoder(replace(DECODE, max_exponent=NAN), [(1, 10, 6)])
