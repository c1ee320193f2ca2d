"""The letterbox of every pixel format is that of its BGR image, to the bit; the image is swscale's within 2 / 255."""

from __future__ import annotations

import ctypes
import mmap
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from twins.letterbox import letterbox
from twins.yuv import to_bgr

from edge_runtime.errors import SpecError
from edge_runtime.model.geometry import Letterbox, fit
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops
from edge_runtime.native.pictures import LUMA, shapes
from edge_runtime.types import Pixels
from tests.native.test_letterbox import CASES, run

FORMATS = sorted(shapes(2, 2))
YUV = [name for name in FORMATS if not name.startswith("bgr")]
GAP = 24  # bytes between rows


def picture(
    format: str, width: int, height: int, seed: int = 0, matrix: str = "bt601", full_range: bool = False, gap: int = GAP
) -> Pixels:
    """Noise, in planes whose rows lie apart."""
    rng = np.random.default_rng(seed)
    planes = []
    for rows, *rest in shapes(width, height)[format]:
        size = int(np.prod(rest))
        plane = rng.integers(0, 256, (rows, size + gap), np.uint8)[:, :size]
        planes.append(np.lib.stride_tricks.as_strided(plane, (rows, *rest), (size + gap, *_inner(rest))))
    return Pixels(format, tuple(planes), width, height, matrix, full_range)


def _inner(shape: Any) -> Iterator[int]:
    for axis in range(len(shape)):
        yield int(np.prod(shape[axis + 1 :]))


def check(pixels: Pixels, spec: ModelSpec, box: Any = None) -> None:
    box, image = box or fit((pixels.width, pixels.height), spec.input_wh, spec.resize), to_bgr(pixels)
    expected = letterbox(image, spec, box)
    for simd in ops.simd_levels():
        found = run(pixels, spec, box, simd)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32), err_msg=simd)
        bgr = np.full((pixels.height + 2, pixels.width, 3), 99, np.uint8)
        ops.to_bgr(pixels, bgr[1:-1], simd)
        np.testing.assert_array_equal(bgr[1:-1], image, err_msg=simd)
        assert (bgr[0] == 99).all() and (bgr[-1] == 99).all()


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_matrix_and_range(format: str, matrix: str, full_range: bool) -> None:
    pixels = picture(format, 101, 57, matrix=matrix, full_range=full_range)
    np.testing.assert_array_equal(pixels.bgr(), to_bgr(pixels))
    check(pixels, ModelSpec("x", (64, 64)))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("image_wh, model_wh, resize, rest", CASES)
def test_table(format: str, image_wh: Tuple[int, int], model_wh: Tuple[int, int], resize: str, rest: Any) -> None:
    check(picture(format, *image_wh), ModelSpec("x", model_wh, resize=resize, **rest))


@pytest.mark.parametrize("format", FORMATS)
def test_every_width_up_to_forty(format: str) -> None:
    for width in range(1, 41):
        check(picture(format, width, 3), ModelSpec("x", (29, 5), resize="stretch"))
        check(picture(format, 23, 3), ModelSpec("x", (width, 5), resize="stretch"))
        check(picture(format, 23 * width, 3), ModelSpec("x", (23, 5), resize="stretch"))


@pytest.mark.parametrize("times", [1, 3, 5, 17])
@pytest.mark.parametrize("format", FORMATS)
def test_where_each_pixel_needs_one_sample(format: str, times: int) -> None:
    for width, height in ((67, 5), (16, 2), (1, 1)):
        check(picture(format, times * width, times * height), ModelSpec("x", (width, height)))
        check(picture(format, times * width, height), ModelSpec("x", (width, height), resize="stretch"))


SIDE = st.integers(1, 150)


@given(
    format=st.sampled_from(FORMATS),
    matrix=st.sampled_from(sorted(LUMA)),
    full_range=st.booleans(),
    wh=st.tuples(SIDE, SIDE),
    size=st.tuples(SIDE, SIDE),
    before=st.tuples(*[st.integers(0, 20)] * 2),
    after=st.integers(0, 20),
    color=st.sampled_from(["rgb", "bgr"]),
    seed=st.integers(0, 1000),
)
def test_random(
    format: str, matrix: str, full_range: bool, wh: Tuple[int, int], size: Tuple[int, int], before: Tuple[int, int],
    after: int, color: str, seed: int,
) -> None:  # fmt: skip
    spec = ModelSpec("x", (before[0] + size[0] + after, before[1] + size[1] + after), color=color)
    check(picture(format, *wh, seed, matrix, full_range), spec, Letterbox(1.0, 1.0, *before, *size))


@pytest.mark.parametrize("format", YUV)
@pytest.mark.parametrize("width, height", [(1, 1), (3, 2), (16, 2), (17, 3), (33, 4), (181, 5), (1000, 3)])
def test_never_reads_behind_a_plane(format: str, width: int, height: int) -> None:
    noise = picture(format, width, height, gap=0)
    kept, planes = [], []
    for plane in noise.planes:
        memory = mmap.mmap(-1, 2 * mmap.PAGESIZE * 4)
        buffer = (ctypes.c_char * len(memory)).from_buffer(memory)
        middle = len(memory) // 2
        protect = ctypes.CDLL(None).mprotect
        behind = ctypes.c_void_p(ctypes.addressof(buffer) + middle)
        assert protect(behind, ctypes.c_size_t(middle), 0) == 0  # a read there is fatal
        end = np.frombuffer(memory, np.uint8, plane.size, middle - plane.size).reshape(plane.shape)
        end[:] = plane
        kept.append((memory, buffer))
        planes.append(end)
    check(Pixels(format, tuple(planes), width, height), ModelSpec("x", (48, 32), resize="stretch"))


def test_rows_may_lie_upside_down() -> None:
    pixels = picture("nv12", 64, 48)
    turned = Pixels("nv12", tuple(plane[::-1] for plane in pixels.planes), 64, 48)
    np.testing.assert_array_equal(turned.bgr(), pixels.bgr()[::-1])
    check(turned, ModelSpec("x", (32, 32)))


@pytest.mark.parametrize("format", FORMATS)
def test_one_thread_takes_formats_and_sizes_in_turn(format: str) -> None:
    for other in FORMATS:
        for width in (640, 352):
            check(picture(other, width, 4), ModelSpec("x", (160, 4), resize="stretch"))
            check(picture(format, width, 4), ModelSpec("x", (160, 4), resize="stretch"))


def test_threads_do_not_disturb_each_other() -> None:
    jobs = [(picture(FORMATS[k % len(FORMATS)], 20 + 17 * k, 90 - 3 * k, k), 32 + k) for k in range(16)]
    boxes = [fit((pixels.width, pixels.height), (side, side)) for pixels, side in jobs]
    expected = [letterbox(to_bgr(job[0]), ModelSpec("x", (job[1],) * 2), box) for job, box in zip(jobs, boxes)]

    def repeat(_: int) -> bool:
        found = (run(job[0], ModelSpec("x", (job[1],) * 2), box, "") for job, box in zip(jobs, boxes))
        return all(np.array_equal(one, other) for one, other in zip(found, expected))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(repeat, range(20)))


def by_swscale(pixels: Pixels) -> NDArray[np.uint8]:
    """FFmpeg's conversion with its default options, by PyAV."""
    av = pytest.importorskip("av", reason="needs PyAV: pip install av")
    names = {"i420": "yuv420p", "yuyv": "yuyv422", "gray8": "gray", "bgrx": "bgr0"}
    frame = av.VideoFrame(pixels.width, pixels.height, names.get(pixels.format, pixels.format))
    for plane, values in zip(frame.planes, pixels.planes):
        rows = np.zeros((len(values), plane.line_size), np.uint8)
        rows[:, : values[0].size] = values.reshape(len(values), -1)
        plane.update(rows.tobytes())
    matrix, span = {"bt601": 5, "bt709": 1}[pixels.matrix], 2 if pixels.full_range else 1
    colours = {"src_colorspace": matrix, "dst_colorspace": matrix, "src_color_range": span, "dst_color_range": 2}
    return frame.reformat(format="bgr24", **colours).to_ndarray()  # type: ignore[no-any-return]


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("format", ["i420", "yuv422p"])
def test_swscale_agrees_on_noise(format: str, matrix: str, full_range: bool) -> None:
    av = pytest.importorskip("av", reason="needs PyAV: pip install av")
    if full_range and int(av.__version__.split(".")[0]) < 13:
        pytest.skip("PyAV 12 changes no range between equal matrices")
    pixels = picture(format, 640, 360, 1, matrix, full_range)
    difference = pixels.bgr().astype(int) - by_swscale(pixels)
    assert 0 <= difference.min() and difference.max() <= 2 and difference.mean() < 0.5
    spec = ModelSpec("x", (416, 416), color="bgr", std=(1.0, 1.0, 1.0))
    box, out = fit((640, 360), (416, 416)), np.zeros((2, 3, 416, 416), np.float32)
    ops.preprocess(pixels, spec, box, out[0])
    ops.preprocess(by_swscale(pixels), spec, box, out[1])
    assert 0 < np.abs(out[0] - out[1]).max() <= 2 + 1e-4  # float32


def test_the_order_of_samples_does_not_matter() -> None:
    """For swscale it does: it interpolates the chroma of NV12 but not that of I420, and rounds YUYV in another way."""
    pixels = picture("i420", 100, 57)
    y, u, v = pixels.planes
    nv12 = Pixels("nv12", (y, np.stack([u, v], -1)), 100, 57)
    np.testing.assert_array_equal(nv12.bgr(), pixels.bgr())
    pixels = picture("yuv422p", 100, 57)
    y, u, v = pixels.planes
    yuyv = Pixels("yuyv", (np.stack([y[:, ::2], u, y[:, 1::2], v], -1),), 100, 57)
    np.testing.assert_array_equal(yuyv.bgr(), pixels.bgr())


@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("format", ["nv12", "yuyv", "gray8"])
def test_swscale_agrees_where_colour_does_not_change(format: str, matrix: str) -> None:
    pixels = picture(format, 64, 48, 2, matrix, full_range=format == "gray8")
    if format != "gray8":
        chroma = pixels.planes[-1][..., 1::2] if format == "yuyv" else pixels.planes[1]
        chroma[..., 0], chroma[..., 1] = 90, 170
    difference = np.abs(pixels.bgr().astype(int) - by_swscale(pixels))
    assert (difference > (0 if format == "gray8" else 2)).mean() < 1e-3, "swscale dithers these: up to 3, seldom"


@pytest.mark.parametrize("matrix", LUMA)
def test_black_and_white(matrix: str) -> None:
    grey = np.full((1, 2), 128, np.uint8)
    for full_range, black, white in ((False, 16, 235), (True, 0, 255)):
        luma = np.array([[black, white, black - min(black, 9), min(white + 9, 255)]], np.uint8)
        bgr = Pixels("i420", (luma, grey, grey), 4, 1, matrix, full_range).bgr()
        assert bgr.tolist() == [[[0] * 3, [255] * 3, [0] * 3, [255] * 3]]


@pytest.mark.parametrize(
    "change, fact",
    [
        ({"format": "rgb24"}, "no pixel format 'rgb24'"),
        ({"matrix": "bt2020"}, "no colour matrix 'bt2020'"),
        ({"width": 0}, "no pixels"),
        ({"width": 9}, r"plane 0 of nv12 is \(6, 8\)"),
        ({"height": 8}, "plane 0 of nv12"),
        ({"planes": (np.zeros((6, 8), np.uint8),)}, "with 1 planes"),
        ({"planes": (np.zeros((6, 8), np.uint8), np.zeros((3, 4, 2), np.int8))}, "plane 1 .* int8"),
        ({"planes": (np.zeros((6, 8), np.uint8), np.zeros((3, 8), np.uint8))}, r"plane 1 .* \(3, 8\)"),
        ({"planes": (np.zeros((6, 16), np.uint8)[:, ::2], np.zeros((3, 4, 2), np.uint8))}, "not contiguous"),
        ({"planes": (np.zeros((6, 8), np.uint8), np.zeros((3, 4, 4), np.uint8)[..., ::2])}, "not contiguous"),
        ({"planes": (np.zeros((6, 8), np.uint8), None)}, "plane 1 .* NoneType"),
    ],
)
def test_refused(change: Any, fact: str) -> None:
    fields = {**vars(picture("nv12", 8, 6)), **change}
    for call in (
        lambda pixels: ops.prepare_image(pixels, ModelSpec("x", (16, 16)), np.zeros((3, 16, 16), np.float32)),
        Pixels.bgr,
    ):
        with pytest.raises(SpecError, match=fact) as caught:
            call(Pixels(**fields))
        assert caught.value.hint
