"""Files that are whole become pictures, others a reason; nothing is printed about either."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.calibrate.survey import survey
from edge_runtime.datasets import Dataset
from edge_runtime.imaging import image_file

Y, X = np.mgrid[0:40, 0:60]
BGR = np.stack([Y * 6, X * 4, (X + Y) * 2], axis=2).astype(np.uint8)
FORMS = {
    "plain.jpg": [],
    "progressive.jpg": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "restarts.jpg": [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
    "a.png": [],
    "a.webp": [cv2.IMWRITE_WEBP_QUALITY, 80],
    "lossless.webp": [cv2.IMWRITE_WEBP_QUALITY, 101],
    "a.bmp": [],
    "a.tif": [],
    "a.ppm": [],
    "a.pgm": [],
}


def encoded(name: str) -> bytes:
    return bytes(cv2.imencode(Path(name).suffix, BGR[..., 0] if name.endswith("pgm") else BGR, FORMS[name])[1])


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("tail", [b"", bytes(100)], ids=["exact", "with a tail"])
def test_a_whole_file(tmp_path: Path, name: str, tail: bytes) -> None:
    (tmp_path / name).write_bytes(encoded(name) + tail)
    image = image_file.read_image(str(tmp_path / name))
    wanted = BGR if not name.endswith("pgm") else np.repeat(BGR[..., :1], 3, axis=2)
    assert np.abs(image.astype(int) - wanted).mean() < 6


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9, -2, -1])
def test_a_file_that_ends_early(tmp_path: Path, name: str, part: float, capfd: pytest.CaptureFixture[str]) -> None:
    whole = encoded(name)
    (tmp_path / name).write_bytes(whole[: int(len(whole) * part)] if part > 0 else whole[: int(part)])
    with pytest.raises(ValueError, match="is damaged, or not an image"):
        image_file.read_image(str(tmp_path / name))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["plain.jpg", "progressive.jpg", "a.png"])
def test_damage_in_the_middle_is_not_printed(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    damaged = bytearray(encoded(name))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 20] = b"\x55" * 20
    (tmp_path / name).write_bytes(damaged)
    try:
        assert image_file.read_image(str(tmp_path / name)).shape == BGR.shape
    except ValueError as error:
        assert "is damaged" in str(error)
    assert capfd.readouterr().err == ""


def test_a_thumbnail_does_not_pass_for_the_picture(tmp_path: Path) -> None:
    """The header of a camera's file holds a whole small JPEG, end marker and all."""
    thumbnail, whole = encoded("plain.jpg"), encoded("plain.jpg")
    header = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    (tmp_path / "a.jpg").write_bytes(whole[:2] + header + whole[2:])
    assert image_file.read_image(str(tmp_path / "a.jpg")).shape == BGR.shape
    (tmp_path / "a.jpg").write_bytes(whole[:2] + header + whole[2 : len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged"):
        image_file.read_image(str(tmp_path / "a.jpg"))


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not there"):
        image_file.read_image(str(tmp_path / "nothing.png"))


def test_every_reader_refuses_half_a_picture(tmp_path: Path) -> None:
    whole = encoded("plain.jpg")
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "whole.jpg").write_bytes(whole)
    source = sources.open(str(tmp_path))
    assert len(list(iter(source.read, None))) == 1 and "half.jpg" in source.skipped[0]
    paths = sorted(map(str, tmp_path.glob("*.jpg")))
    seen = survey(paths, Dataset("pictures", tuple(paths), (), ()))
    assert seen.count == 1 and seen.unreadable == (str(tmp_path / "half.jpg"),)
