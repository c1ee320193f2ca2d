"""Preparations against OpenCV and numpy: what each gives, where the picture lies, and that all differ."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_runtime.audit.preparations import Preparation, others
from edge_runtime.model.spec import ModelSpec

IMAGE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8), (9, 9), 0)
SPEC = ModelSpec("yolo_v8", (48, 48), mean=(10.0, 20.0, 30.0), std=(50.0, 60.0, 70.0))


def test_the_middle_of_the_picture() -> None:
    found = Preparation(replace(SPEC, mean=(0.0,) * 3, std=(1.0,) * 3), crop=True)
    whole = cv2.resize(IMAGE, (72, 48), interpolation=cv2.INTER_LINEAR)
    wanted = whole[:, 12:60, ::-1].transpose(2, 0, 1).astype(np.float32)
    assert np.abs(found.tensor(IMAGE) - wanted).max() <= 1.1
    placed = found.placed(IMAGE)
    corners = np.array([[0, 0, 48, 48, 0.5, 0]], np.float32)
    assert placed.back(corners)[0, :4].tolist() == pytest.approx([15, 0, 75, 60])


@pytest.mark.parametrize("resize", ["letterbox", "letterbox_topleft", "stretch"])
def test_a_placement_goes_back(resize: str) -> None:
    placed = Preparation(replace(SPEC, resize=resize)).placed(IMAGE)
    scale, pad = np.array(placed.scale * 2), np.array(placed.pad * 2)
    row = np.array([[9, 6, 81, 54, 0.5, 2]], np.float32)
    moved = row.copy()
    moved[:, :4] = row[:, :4] * scale + pad
    assert placed.back(moved) == pytest.approx(row, abs=1e-4)


def test_interpolation_and_gain() -> None:
    plain = Preparation(replace(SPEC, resize="stretch", mean=(0.0,) * 3, std=(1.0,) * 3))
    near = cv2.resize(IMAGE, (48, 48), interpolation=cv2.INTER_NEAREST)[..., ::-1].transpose(2, 0, 1)
    assert np.array_equal(replace(plain, interpolation="nearest").tensor(IMAGE), near)
    assert np.array_equal(replace(plain, gain=2.0).tensor(IMAGE), 2 * plain.tensor(IMAGE))


def test_every_other_preparation_gives_another_input() -> None:
    known = Preparation(SPEC)
    own = known.tensor(IMAGE)
    found = others(known)
    assert len({each.words for each in found}) == len(found) > 20
    for each in found:
        assert np.abs(each.preparation.tensor(IMAGE) - own).max() > 1e-3, each.words
    swapped = next(each for each in found if each.words == "channels in the order bgr, not rgb, mean and std with them")
    assert np.allclose(swapped.preparation.tensor(IMAGE), own[::-1], atol=1e-5)
