"""Image files: formats, order, what is passed over and what is an error."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.sources import SourceOptions

RNG = np.random.default_rng(1)
BGR = RNG.integers(0, 256, (20, 30, 3), np.uint8)
JPEG = cv2.imencode(".jpg", BGR)[1].tobytes()


def read_one(path: Path) -> np.ndarray:
    source = sources.open(str(path))
    frame = source.read()
    assert source.read() is None
    assert frame.path == str(path)
    return frame.image


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tiff", ".ppm"])
def test_colour_is_bgr(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(cv2.imencode(suffix.lower(), BGR)[1])
    np.testing.assert_array_equal(read_one(path), BGR)


def test_grey_is_repeated(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), BGR[..., 0])
    np.testing.assert_array_equal(read_one(tmp_path / "grey.png"), np.repeat(BGR[..., :1], 3, axis=2))


def test_alpha_is_dropped(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, (20, 30, 1), np.uint8)
    cv2.imwrite(str(tmp_path / "alpha.png"), np.concatenate([BGR, alpha], axis=2))
    np.testing.assert_array_equal(read_one(tmp_path / "alpha.png"), BGR)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_is_scaled(tmp_path: Path, channels: int) -> None:
    deep = RNG.integers(0, 65536, (20, 30, channels)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    image = read_one(tmp_path / "deep.png")
    assert image.dtype == np.uint8
    assert np.abs(image.astype(float) - deep[..., :3] / 257).max() <= 1


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    """Orientation 6: the camera was turned, the stored rows are columns of the picture."""
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (tmp_path / "turned.jpg").write_bytes(JPEG[:2] + segment + JPEG[2:])
    plain = cv2.imdecode(np.frombuffer(JPEG, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read_one(tmp_path / "turned.jpg"), cv2.rotate(plain, cv2.ROTATE_90_CLOCKWISE))


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    path = tmp_path / "Grüße 猫.jpg"
    path.write_bytes(JPEG)
    assert read_one(path).shape == BGR.shape


def fill(folder: Path) -> Path:
    folder.mkdir()
    for name in ("b.jpg", "a.JPG", "c.jpg"):
        (folder / name).write_bytes(JPEG)
    (folder / "notes.txt").write_text("not an image", encoding="utf-8")
    (folder / "empty.png").write_bytes(b"")
    (folder / "half.jpg").write_bytes(JPEG[: len(JPEG) // 2])
    (folder / "noise.png").write_bytes(RNG.bytes(500))
    (folder / "deeper").mkdir()
    (folder / "deeper" / "d.jpg").write_bytes(JPEG)
    return folder


def test_a_directory_is_read_by_name_and_passes_over_the_rest(tmp_path: Path) -> None:
    source = sources.open(f"{fill(tmp_path / 'photos')}/")
    frames = list(iter(source.read, None))
    assert [Path(frame.path).name for frame in frames] == ["a.JPG", "b.jpg", "c.jpg"]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert sorted(item.split("/")[-1] for item in source.skipped) == [
        "empty.png: is empty",
        "half.jpg: is damaged, or not an image",
        "noise.png: is damaged, or not an image",
        "notes.txt: not an image",
    ]


def test_what_is_passed_over_is_listed_once_in_a_loop(tmp_path: Path) -> None:
    source = sources.open(str(fill(tmp_path / "photos")), SourceOptions(loop=True))
    frames = [source.read() for _ in range(10)]
    assert [frame.index for frame in frames] == list(range(10))
    assert len(source.skipped) == 4


def test_a_glob(tmp_path: Path) -> None:
    source = sources.open(f"{fill(tmp_path / 'photos')}/[bc]*.jpg")
    assert source.frame_count == 2
    assert [Path(f.path).name for f in iter(source.read, None)] == ["b.jpg", "c.jpg"]


def test_an_existing_name_with_brackets_is_no_glob(tmp_path: Path) -> None:
    path = tmp_path / "photo[1].jpg"
    path.write_bytes(JPEG)
    assert read_one(path).shape == BGR.shape


@pytest.mark.parametrize("content, reason", [(b"", "is empty"), (JPEG[:-20], "damaged"), (b"hello", "damaged")])
def test_the_one_image_asked_for_must_be_readable(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "one.jpg").write_bytes(content)
    source = sources.open(str(tmp_path / "one.jpg"))
    with pytest.raises(SourceError, match=reason) as caught:
        source.read()
    assert caught.value.hint
    assert source.read() is None


@pytest.mark.parametrize("target", ["missing.jpg", "missing/", "nothing*.jpg"])
def test_missing(tmp_path: Path, target: str) -> None:
    with pytest.raises(SourceError, match="no such file"):
        sources.open(str(tmp_path) + "/" + target)


def test_a_directory_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none", encoding="utf-8")
    with pytest.raises(SourceError, match="no image in"):
        sources.open(str(tmp_path))


def test_a_loop_over_pictures_that_are_gone_ends(tmp_path: Path) -> None:
    source = sources.open(str(fill(tmp_path / "photos")), SourceOptions(loop=True))
    assert [source.read().index for _ in range(4)] == [0, 1, 2, 3]
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(SourceError, match=r"no image in .* can be read"):
        source.read()
    assert source.read() is None


@pytest.mark.parametrize("loop", [False, True])
def test_a_directory_of_which_nothing_can_be_read(tmp_path: Path, loop: bool) -> None:
    (tmp_path / "a.jpg").write_bytes(b"garbage")
    source = sources.open(str(tmp_path), SourceOptions(loop=loop))
    with pytest.raises(SourceError, match=r"no image in .* can be read") as caught:
        source.read()
    assert "damaged" in str(caught.value.hint)
    assert source.read() is None


def test_shared_photographs(shared: Path) -> None:
    source = sources.open(str(shared / "images" / "*.jpg"))
    frames = list(iter(source.read, None))
    assert len(frames) == len(list((shared / "images").glob("*.jpg"))) == source.frame_count
    np.testing.assert_array_equal(frames[0].image, cv2.imread(frames[0].path))


@given(data=st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda tail: JPEG[:200] + tail)))
def test_any_bytes_are_an_image_or_a_reason(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    (folder / "a.jpg").write_bytes(data)
    (folder / "z.jpg").write_bytes(JPEG)
    source = sources.open(str(folder))
    assert len(list(iter(source.read, None))) + len(source.skipped) == 2
