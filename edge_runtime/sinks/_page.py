"""The picture of a video, which keeps its size while frames may change theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.opencv import fitted
from edge_runtime.sinks._drawn import draw_result
from edge_runtime.types import Result


class Page:
    """Draws results into a picture of one size.

    A frame that is one column or row larger is cut, so its pixels stay as they are. Other frames are scaled to fit,
    with their shape kept, on black. Boxes are drawn after that, so their lines and names stay sharp.

    Args:
        image: the picture, (H, W, 3) uint8. It may be a part of a larger one.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image

    def draw(self, result: Result) -> NDArray[np.uint8]:
        """Returns the picture, (H, W, 3) uint8 BGR. The next call draws over it."""
        image, (height, width) = result.frame.image, self.image.shape[:2]
        more = image.shape[0] - height, image.shape[1] - width
        if max(more) <= 1 and min(more) >= 0:
            np.copyto(self.image, image[:height, :width])
            return draw_result(self.image, result)
        return draw_result(self.image, result, fitted(image, self.image))
