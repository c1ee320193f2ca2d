from __future__ import annotations

import ctypes
import mmap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Tuple

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from twins.letterbox import letterbox

from edge_runtime.errors import SpecError
from edge_runtime.model.geometry import RESIZE_MODES, Letterbox, fit
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops

GUARD = 64  # floats before and after the output
IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
PLAIN = {"color": "bgr", "std": (1.0, 1.0, 1.0)}

CASES = [  # image (w, h), model (w, h), resize, the rest of the spec
    ((1280, 720), (416, 416), "letterbox", {}),
    ((1280, 720), (640, 640), "letterbox", IMAGENET),
    ((320, 240), (640, 640), "letterbox", {"color": "bgr"}),  # up
    ((64, 64), (64, 64), "letterbox", PLAIN),  # 1:1
    ((128, 96), (64, 48), "stretch", {}),  # 2:1
    ((1, 1), (33, 17), "stretch", {}),
    ((1, 1), (32, 20), "letterbox", {"pad_value": 0}),
    ((1, 200), (64, 64), "letterbox", {}),
    ((200, 1), (64, 64), "letterbox", {"pad_value": 255}),
    ((2000, 1), (64, 64), "letterbox", {}),  # one row of output
    ((101, 57), (64, 48), "stretch", {"mean": (-3.0, 0.0, 300.0), "std": (0.5, 1.0, 1e3)}),
    ((57, 101), (48, 64), "letterbox_topleft", IMAGENET),
    ((640, 480), (1, 1), "stretch", {}),
    ((37, 41), (640, 3), "stretch", {}),
    ((2, 33001), (4, 33000), "stretch", {}),  # the vertical weight reaches its limit of 15 bits
]


@pytest.fixture(params=ops.simd_levels())
def simd(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def run(image: NDArray[np.uint8], spec: ModelSpec, box: Letterbox, simd: str) -> NDArray[np.float32]:
    """`ops.preprocess` between two guard bands; every element must be written, and none outside."""
    model_w, model_h = spec.input_wh
    memory = np.full(3 * model_h * model_w + 2 * GUARD, np.nan, np.float32)
    out = memory[GUARD:-GUARD].reshape(3, model_h, model_w)
    ops.preprocess(image, spec, box, out, simd)
    assert np.isnan(memory[:GUARD]).all() and np.isnan(memory[-GUARD:]).all()
    assert not np.isnan(out).any()
    return out


def check(image: NDArray[np.uint8], spec: ModelSpec, simd: str) -> None:
    """The native letterbox and its twin give the same bits."""
    box = fit((image.shape[1], image.shape[0]), spec.input_wh, spec.resize)
    found, expected = run(image, spec, box, simd), letterbox(image, spec, box)
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("image_wh, model_wh, resize, rest", CASES)
def test_table(image_wh: Tuple[int, int], model_wh: Tuple[int, int], resize: str, rest: Any, simd: str) -> None:
    check(noise(*image_wh), ModelSpec("x", model_wh, resize=resize, **rest), simd)


def test_every_width_up_to_forty(simd: str) -> None:
    for width in range(1, 41):
        check(noise(width, 3), ModelSpec("x", (29, 5), resize="stretch"), simd)
        check(noise(23, 3), ModelSpec("x", (width, 5), resize="stretch"), simd)
        check(noise(170 + width, 2), ModelSpec("x", (16, 2), resize="stretch"), simd)  # 170 pixels blend at a time


SIDE = st.integers(1, 150)
CHANNELS = st.tuples(*[st.floats(0.0078125, 300, width=32)] * 3)


@given(
    wh=st.tuples(SIDE, SIDE),
    model_wh=st.tuples(SIDE, SIDE),
    resize=st.sampled_from(RESIZE_MODES),
    color=st.sampled_from(["rgb", "bgr"]),
    pad_value=st.integers(0, 255),
    mean=CHANNELS,
    std=CHANNELS,
    seed=st.integers(0, 1000),
    extreme=st.booleans(),
)
def test_random(wh: Tuple[int, int], model_wh: Tuple[int, int], seed: int, extreme: bool, **spec: Any) -> None:
    image = noise(*wh, seed)
    if extreme:
        image = np.where(image < 128, np.uint8(0), np.uint8(255))
    for simd in ops.simd_levels():
        check(image, ModelSpec("x", model_wh, **spec), simd)


@given(
    wh=st.tuples(SIDE, SIDE),
    size=st.tuples(SIDE, SIDE),
    before=st.tuples(*[st.integers(0, 20)] * 2),
    after=st.integers(0, 20),
)
def test_any_placement(wh: Tuple[int, int], size: Tuple[int, int], before: Tuple[int, int], after: int) -> None:
    image, box = noise(*wh), Letterbox(1.0, 1.0, *before, *size)
    spec = ModelSpec("x", (before[0] + size[0] + after, before[1] + size[1] + after))
    for simd in ops.simd_levels():
        np.testing.assert_array_equal(run(image, spec, box, simd), letterbox(image, spec, box))


def test_same_size_keeps_every_byte(simd: str) -> None:
    image = noise(50, 40)
    out = run(image, ModelSpec("x", (50, 40), **PLAIN), fit((50, 40), (50, 40)), simd)
    np.testing.assert_array_equal(out, image.transpose(2, 0, 1))


def test_half_size_is_the_mean_of_four(simd: str) -> None:
    image = noise(100, 60)
    out = run(image, ModelSpec("x", (50, 30), **PLAIN), fit((100, 60), (50, 30)), simd)
    np.testing.assert_array_equal(out, image.reshape(30, 2, 50, 2, 3).mean((1, 3)).transpose(2, 0, 1))


@pytest.mark.parametrize("color, expected", [("bgr", (10, 20, 30)), ("rgb", (30, 20, 10))])
def test_mean_and_std_belong_to_output_channels(color: str, expected: Tuple[int, ...], simd: str) -> None:
    image = np.full((20, 40, 3), (10, 20, 30), np.uint8)
    spec = ModelSpec("x", (40, 40), color=color, pad_value=7, mean=(1, 2, 3), std=(4, 5, 6))
    out = run(image, spec, fit((40, 20), (40, 40)), simd)
    for channel, (value, mean, std) in enumerate(zip(expected, spec.mean, spec.std)):
        np.testing.assert_allclose(out[channel, 10:30], (value - mean) / std, rtol=1e-6)
        np.testing.assert_allclose(out[channel, :10], (7 - mean) / std, rtol=1e-6)
        np.testing.assert_allclose(out[channel, 30:], (7 - mean) / std, rtol=1e-6)


def distance_to_opencv(image: NDArray[np.uint8], width: int, height: int) -> float:
    spec = ModelSpec("x", (width, height), resize="stretch", **PLAIN)
    out = run(image, spec, fit((image.shape[1], image.shape[0]), (width, height), "stretch"), "")
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return float(np.abs(out.transpose(1, 2, 0) - expected).max())


@pytest.mark.parametrize("size", [(416, 234), (640, 360), (1280, 720), (1301, 977), (300, 1000), (7, 5)])
def test_opencv_agrees_on_noise(size: Tuple[int, int]) -> None:
    assert distance_to_opencv(noise(1280, 720), *size) <= 1.1


def test_opencv_agrees_on_photographs(shared: Path) -> None:
    files = sorted((shared / "images").glob("*.jpg"))
    assert files
    for file in files:
        image = cv2.imread(str(file))
        assert max(distance_to_opencv(image, 416, 312), distance_to_opencv(image, 800, 600)) <= 1.1


@pytest.mark.parametrize("view", [np.s_[5:-3, 7:-2], np.s_[::2], np.s_[:, 3:4], np.s_[9:10, :]])
def test_rows_at_any_stride(view: Any, simd: str) -> None:
    check(noise(90, 70)[view], ModelSpec("x", (64, 64)), simd)


@pytest.mark.parametrize("width, height", [(1, 1), (3, 2), (6, 3), (11, 2), (16, 2), (171, 1), (181, 4), (1000, 3)])
def test_never_reads_behind_the_image(width: int, height: int, simd: str) -> None:
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE * 4)
    buffer = (ctypes.c_char * len(memory)).from_buffer(memory)
    behind = ctypes.addressof(buffer) + len(memory) // 2
    protect = ctypes.CDLL(None).mprotect
    assert protect(ctypes.c_void_p(behind), ctypes.c_size_t(len(memory) // 2), 0) == 0  # a read there is fatal
    size = 3 * width * height
    image = np.frombuffer(memory, np.uint8, size, len(memory) // 2 - size).reshape(height, width, 3)
    image[:] = noise(width, height)
    check(image, ModelSpec("x", (48, 32), resize="stretch"), simd)


def test_threads_do_not_disturb_each_other() -> None:
    jobs = [(noise(20 + 7 * k, 90 - 3 * k, k), ModelSpec("x", (32 + k, 64 - k))) for k in range(16)]
    boxes = [fit((image.shape[1], image.shape[0]), spec.input_wh) for image, spec in jobs]
    expected = [letterbox(image, spec, box) for (image, spec), box in zip(jobs, boxes)]

    def repeat(_: int) -> bool:
        return all(
            np.array_equal(run(image, spec, box, ""), twin) for (image, spec), box, twin in zip(jobs, boxes, expected)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(repeat, range(40)))


GOOD_IMAGE, GOOD_OUT = np.zeros((8, 8, 3), np.uint8), np.zeros((3, 16, 16), np.float32)


@pytest.mark.parametrize(
    "image, fact",
    [
        (GOOD_IMAGE.tolist(), "image is list"),
        (GOOD_IMAGE.astype(np.uint16), "uint16"),
        (GOOD_IMAGE.astype(np.float32), "float32"),
        (GOOD_IMAGE[..., 0], r"\(8, 8\)"),  # grey
        (np.zeros((8, 8, 4), np.uint8), r"\(8, 8, 4\)"),  # alpha
        (np.zeros((8, 8, 1), np.uint8), r"\(8, 8, 1\)"),
        (GOOD_IMAGE[:0], "no pixels"),
        (GOOD_IMAGE[:, :0], "no pixels"),
        (GOOD_IMAGE[:, ::2], "not contiguous"),
        (GOOD_IMAGE[..., ::-1], "not contiguous"),  # BGR to RGB by view
        (np.zeros((3, 8, 8), np.uint8).transpose(1, 2, 0), "not contiguous"),
    ],
)
def test_refused_images(image: Any, fact: str) -> None:
    with pytest.raises(SpecError, match=fact) as error:
        ops.preprocess(image, ModelSpec("x", (16, 16)), fit((8, 8), (16, 16)), GOOD_OUT)
    assert error.value.hint


@pytest.mark.parametrize(
    "out",
    [
        GOOD_OUT.tolist(),
        GOOD_OUT.astype(np.float64),
        GOOD_OUT.astype(np.float16),
        GOOD_OUT[0],
        GOOD_OUT[None],
        np.zeros((4, 16, 16), np.float32),
        np.zeros((16, 16, 3), np.float32),
        np.zeros((3, 16, 32), np.float32)[..., ::2],
        np.zeros((16, 16, 3), np.float32).transpose(2, 0, 1),
        np.zeros((3, 15, 16), np.float32),  # too small
        np.zeros((3, 16, 15), np.float32),
        np.zeros((3, 0, 0), np.float32),
    ],
)
def test_refused_outputs(out: Any) -> None:
    with pytest.raises(SpecError, match="out") as error:
        ops.preprocess(GOOD_IMAGE, ModelSpec("x", (16, 16)), fit((8, 8), (16, 16)), out)
    assert error.value.hint


@pytest.mark.parametrize(
    "placement",
    [(1, 0, 16, 16), (0, 1, 16, 16), (-1, 0, 8, 8), (0, -1, 8, 8), (0, 0, 0, 8), (0, 0, 8, 0), (0, 0, 17, 8)],
)
def test_refused_placements(placement: Tuple[int, int, int, int]) -> None:
    with pytest.raises(SpecError, match="does not fit") as error:
        ops.preprocess(GOOD_IMAGE, ModelSpec("x", (16, 16)), Letterbox(1, 1, *placement), GOOD_OUT)
    assert error.value.hint


def test_refused_read_only_output() -> None:
    out = GOOD_OUT.copy()
    out.flags.writeable = False
    with pytest.raises(SpecError, match="read-only"):
        ops.preprocess(GOOD_IMAGE, ModelSpec("x", (16, 16)), fit((8, 8), (16, 16)), out)


def test_refused_simd() -> None:
    with pytest.raises(SpecError, match="'mmx'") as error:
        ops.preprocess(GOOD_IMAGE, ModelSpec("x", (16, 16)), fit((8, 8), (16, 16)), GOOD_OUT, "mmx")
    assert "portable" in str(error.value.hint)


def test_portable_is_always_there() -> None:
    assert ops.simd_levels()[-1] == "portable"
