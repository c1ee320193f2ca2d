"""The inputs of a model file: which one is the image, and what the others are given."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model.spec import ModelIO, Shape

Values = Callable[[int, int], Tuple[float, ...]]
# With these values of (width, height) the network gives boxes in pixels of its own input.
KNOWN: Dict[str, Values] = {
    "orig_target_sizes": lambda width, height: (width, height),  # RT-DETR, D-FINE, DEIM
    "im_shape": lambda width, height: (height, width),  # PaddleDetection
    "scale_factor": lambda width, height: (1.0, 1.0),  # PaddleDetection
    "pixel_mask": lambda width, height: (1.0,),  # Hugging Face: all pixels belong to the picture
}


def image_of(shapes: Mapping[str, Shape]) -> Optional[str]:
    """Returns the name of the input that takes the image, (B, 3, H, W) or (B, H, W, 3); None if there is no such one.

    All other inputs must be known.
    """
    images = [name for name, shape in shapes.items() if len(shape) == 4 and 3 in (shape[1], shape[3])]
    return images[0] if len(images) == 1 and all(key(name) for name in shapes if name != images[0]) else None


def strangers(shapes: Mapping[str, Shape]) -> List[str]:
    """Returns the names of inputs that are no image and are not known."""
    return [name for name, shape in shapes.items() if len(shape) != 4 and not key(name)]


def key(name: str) -> str:
    """Returns the known name of an input, which exporters write with an appendix such as `:0`; else an empty text."""
    plain = name.split(":")[0]
    return plain if plain in KNOWN else ""


def given(io: ModelIO) -> Dict[str, NDArray[np.generic]]:
    """Returns what the inputs beside the image are given, by name: (B, 2) or (B, H, W), for every image the same."""
    found = {}
    for name, shape in io.others.items():
        values = np.array(KNOWN[key(name)](*io.input_wh))
        found[name] = np.broadcast_to(values, shape).astype(io.dtypes[name], order="C")
    return found


def filled(name: str, shape: Shape, image: Shape) -> Shape:
    """Returns the shape of an input beside the image (B, 3, H, W), with its open sizes filled in."""
    sizes = (image[0], *image[2:]) if key(name) == "pixel_mask" else (image[0], 2)
    return tuple(sizes[place] if size < 0 else size for place, size in enumerate(shape))
