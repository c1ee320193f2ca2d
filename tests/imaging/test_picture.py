"""What users call an image: every kind becomes the BGR that our own reader of files gives, or is refused in words."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import SourceError, SpecError, UsageError
from edge_runtime.imaging.image_file import read_image
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.imaging.picture import picture_path, to_bgr, write_picture

RNG = np.random.default_rng(7)
BGR = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
UPRIGHT = 0x0112  # EXIF's orientation


@pytest.fixture
def pillow() -> Any:
    return pytest.importorskip("PIL.Image", reason="needs Pillow")


def test_an_image_as_it_should_be_is_passed_on() -> None:
    for image in (BGR, BGR[2:9], BGR[::2], BGR[::-1]):
        assert to_bgr(image) is image


@pytest.mark.parametrize("image", [BGR[:, ::-1], BGR[..., ::-1], BGR.transpose(1, 0, 2), BGR[:, ::2]])
def test_pixels_that_are_not_contiguous_are_copied(image: np.ndarray) -> None:
    bgr = to_bgr(image)
    np.testing.assert_array_equal(bgr, image)
    assert bgr.strides[1:] == (3, 1)


def test_grey_is_repeated_and_alpha_dropped() -> None:
    grey = BGR[..., 0]
    for image in (grey, grey[..., None], np.asfortranarray(grey)):
        np.testing.assert_array_equal(to_bgr(image), np.dstack([grey] * 3))
    bgra = np.dstack([BGR, np.zeros_like(grey)])
    np.testing.assert_array_equal(to_bgr(bgra), BGR)


@pytest.mark.parametrize(
    ("image", "hint"),
    [
        (BGR / np.float32(255), "image * 255"),
        (BGR.astype(np.uint16), ">> 8"),
        (BGR.transpose(2, 0, 1), "transpose(1, 2, 0)"),
        (BGR[None], "list(images)"),
        (BGR.astype(bool), "cv2.imread"),
        (BGR.astype(np.int64), "cv2.imread"),
        (BGR[..., :2], "cv2.imread"),
        (BGR[0, 0], "cv2.imread"),
        (np.zeros((), np.uint8), "cv2.imread"),
        (None, "cv2.imread gives None"),
        (0, "Pipeline(detector"),
        (b"bytes", "a path"),
        ({}, "a path"),
        (object(), "a path"),
    ],
)
def test_other_arrays_and_types_are_refused_with_the_way_out(image: Any, hint: str) -> None:
    with pytest.raises(SpecError, match="image is") as caught:
        to_bgr(image)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_files_are_read_as_the_image_source_reads_them(tmp_path: Path, depth: Any, channels: int) -> None:
    path = tmp_path / "größe.png"
    image = RNG.integers(0, np.iinfo(depth).max, (12, 20, channels)).astype(depth)
    path.write_bytes(load_cv2().imencode(".png", image)[1].tobytes())
    for given in (path, str(path)):
        np.testing.assert_array_equal(to_bgr(given), read_image(str(path)))


@pytest.mark.parametrize("name", ["none.png", "text.png", "empty.png", "clip.mp4", "", "0"])
def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for here in ("text.png", "clip.mp4"):
        Path(here).write_text("text", encoding="utf-8")
    Path("empty.png").touch()
    with pytest.raises(SourceError) as caught:
        to_bgr(name)
    assert repr(name) in str(caught.value) and "Pipeline(detector" in str(caught.value.hint)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://me:secret@camera/1",
        "http://a/bus.jpg?token=secret",
        "csi://0",
        "gst:rtspsrc user-pw=secret ! fakesink",
        "gst:rtspsrc user-pw=secret location=rtsp://camera",
    ],
)
def test_a_stream_is_a_source_and_its_password_stays_secret(url: str) -> None:
    with pytest.raises(UsageError, match="is a stream") as caught:
        to_bgr(url)
    assert "secret" not in f"{caught.value}{caught.value.hint}" and "Pipeline(detector" in str(caught.value.hint)


def test_a_folder_is_a_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        to_bgr(tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_pillow_images_are_what_their_files_are(pillow: Any, tmp_path: Path, mode: str) -> None:
    """The same picture, once read by Pillow and once by our reader of files."""
    path = tmp_path / "picture.png"
    rgb = pillow.fromarray(np.ascontiguousarray(BGR[..., ::-1]))
    if mode == "I;16":
        image = pillow.fromarray(RNG.integers(0, 1 << 16, (12, 20), dtype=np.uint16))
    else:
        image = rgb.convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(128)
    image.save(path)
    expected = read_image(str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in (image, pillow.open(path)):
            bgr = to_bgr(given)
            np.testing.assert_array_equal(bgr, expected)
            assert bgr.flags.c_contiguous and bgr.dtype == np.uint8


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "I"])
def test_other_modes_of_pillow_are_converted(pillow: Any, mode: str) -> None:
    flat = pillow.new("RGB", (20, 12), (0, 0, 255))
    if mode == "I":
        bgr = to_bgr(pillow.fromarray(np.full((12, 20), 0x8000, np.int32)))
        assert bgr.shape == (12, 20, 3) and (bgr == 0x80).all()
    else:
        assert np.abs(to_bgr(flat.convert(mode)).astype(int) - (255, 0, 0)).max() <= 2


def test_a_transparent_palette_is_read_without_a_warning(pillow: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    image = pillow.fromarray(BGR[..., 0]).convert("P")
    image.save(path, transparency=b"\x00\x80\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(to_bgr(pillow.open(path)), read_image(str(path)))


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_a_fixed_range_are_refused(pillow: Any, mode: str) -> None:
    values = np.full((12, 20), 1 << 20, np.int32 if mode == "I" else np.float32)
    with pytest.raises(SpecError, match=f"mode '{mode}'") as caught:
        to_bgr(pillow.fromarray(values))
    assert "convert('RGB')" in str(caught.value.hint)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_in_files(pillow: Any, tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "turned.jpg"
    exif = pillow.Exif()
    exif[UPRIGHT] = orientation
    smooth = np.linspace(0, 255, 48 * 80 * 3).reshape(48, 80, 3).astype(np.uint8)
    pillow.fromarray(smooth).save(path, exif=exif, quality=100, subsampling=0)
    expected = read_image(str(path))
    bgr = to_bgr(pillow.open(path))
    assert bgr.shape == expected.shape == ((48, 80, 3) if orientation < 5 else (80, 48, 3))
    assert np.abs(bgr.astype(int) - expected).max() <= 2  # two JPEG decoders


def test_a_cut_file_of_pillow_is_an_error_in_words(pillow: Any, tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    write_picture(path, np.tile(BGR, (20, 20, 1)))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SpecError, match="cannot be read"):
        to_bgr(pillow.open(path))


def test_the_file_of_a_picture(pillow: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_picture(path, BGR)
    opened = pillow.open(path)
    assert [picture_path(p) for p in (path, str(path), opened)] == [str(path)] * 3
    assert [picture_path(p) for p in (BGR, opened.copy(), opened.resize((4, 4)))] == [""] * 3


def test_pillow_is_never_imported() -> None:
    code = """
import sys
sys.modules["PIL"] = None
import numpy as np
from edge_runtime.imaging.picture import to_bgr
assert to_bgr(np.zeros((4, 4), np.uint8)).shape == (4, 4, 3)
try:
    to_bgr(object())
except ValueError as error:
    assert "object" in str(error)
else:
    raise AssertionError("taken for an image")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".jpg", ".jpeg", ".webp", ".tif"])
def test_pictures_are_written_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"größe{suffix}"
    smooth = np.full((48, 64, 3), (10, 100, 200), np.uint8)
    write_picture(path, smooth)
    assert np.abs(read_image(str(path)).astype(int) - smooth).max() <= 4
