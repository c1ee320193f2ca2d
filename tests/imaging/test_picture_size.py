"""How large a picture is, by its header alone: what would take gigabytes is refused before it is decoded."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.imaging import image_file, picture_size

KINDS = (".jpg", ".png", ".bmp", ".webp", ".tif")


def encoded(kind: str, height: int = 30, width: int = 47) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(kind, picture)[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_says_what_opencv_gives(kind: str) -> None:
    assert picture_size.stated(encoded(kind)) == (47, 30)


def test_a_lossless_and_an_extended_webp() -> None:
    image = np.zeros((300, 201, 3), np.uint8)
    lossless = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    assert lossless[12:16] == b"VP8L" and picture_size.stated(lossless) == (201, 300)
    extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + struct.pack("<I", 200)[:3] + struct.pack("<I", 299)[:3]
    assert picture_size.stated(extended) == (201, 300)


@pytest.mark.parametrize("kind", KINDS)
def test_headers_that_are_cut_say_nothing(kind: str) -> None:
    whole = encoded(kind)
    for length in range(min(len(whole), 400)):
        assert picture_size.stated(whole[:length]) in ((0, 0), (47, 30))


def _enlarged(kind: str) -> bytes:
    """A small picture whose header says 30000 x 30000."""
    small, data = struct.pack(">HH", 30, 47), bytearray(encoded(kind))
    if kind == ".jpg":
        return bytes(data).replace(small, struct.pack(">HH", 30000, 30000), 1)
    at, form = {".png": (16, ">II"), ".bmp": (18, "<ii")}[kind]
    struct.pack_into(form, data, at, 30000, 30000)
    return bytes(data)


@pytest.mark.parametrize("kind", [".jpg", ".png", ".bmp"])
def test_a_few_bytes_cannot_ask_for_gigabytes(kind: str, tmp_path: Path) -> None:
    (tmp_path / f"a{kind}").write_bytes(_enlarged(kind))
    with pytest.raises(ValueError, match=r"is 30000 x 30000 pixels, of which 128 million are the most"):
        image_file.read_image(str(tmp_path / f"a{kind}"))
