"""Which input is the image, and what the others are given."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import pytest

from edge_runtime.model import inputs
from edge_runtime.model.spec import ModelIO

IMAGES: Dict[str, Tuple[Dict[str, Tuple[int, ...]], Optional[str]]] = {
    "one": ({"images": (1, 3, 64, 96)}, "images"),
    "channels last": ({"input:0": (1, 64, 96, 3)}, "input:0"),
    "after another": ({"im_shape": (1, 2), "image": (-1, 3, -1, -1), "scale_factor": (1, 2)}, "image"),
    "a mask of pixels": ({"pixel_values": (1, 3, 64, 96), "pixel_mask": (1, 64, 64)}, "pixel_values"),
    "a stranger": ({"images": (1, 3, 64, 96), "depth": (1, 2)}, None),
    "two images": ({"left": (1, 3, 64, 96), "right": (1, 3, 64, 96)}, None),
    "no image": ({"x": (1, 4, 64, 96)}, None),
}


@pytest.mark.parametrize(("shapes", "image"), IMAGES.values(), ids=IMAGES.keys())
def test_the_image_is_found(shapes: Dict[str, Tuple[int, ...]], image: Optional[str]) -> None:
    assert inputs.image_of(shapes) == image


def test_what_is_given() -> None:
    shapes = {"orig_target_sizes": (-1, 2), "im_shape:0": (1, 2), "scale_factor": (1, 2), "pixel_mask": (-1, -1, -1)}
    others = {name: inputs.filled(name, shape, (2, 3, 64, 96)) for name, shape in shapes.items()}
    assert others["orig_target_sizes"] == (2, 2) and others["pixel_mask"] == (2, 64, 96)
    dtypes = {"orig_target_sizes": "int64", "im_shape:0": "float32", "scale_factor": "float32", "pixel_mask": "int64"}
    given = inputs.given(ModelIO("images", (2, 3, 64, 96), {}, dtypes=dtypes, others=others))
    assert given["orig_target_sizes"].tolist() == [[96, 64], [96, 64]], "width first"
    assert given["im_shape:0"].tolist() == [[64.0, 96.0]], "height first"
    assert given["scale_factor"].tolist() == [[1.0, 1.0]] and given["pixel_mask"].all()
    assert {name: str(array.dtype) for name, array in given.items()} == dtypes
    assert all(array.flags.c_contiguous for array in given.values())
