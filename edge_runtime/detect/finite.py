"""Looks whether the outputs of a network are finite. The decoder drops NaN, so such frames look empty.

A look reads every value once. So it is made on the first frame and then now and then, more often while nothing is
found, and on every frame while the outputs are bad.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend
from edge_runtime.errors import ModelError

EVERY, EMPTY = 64, 16  # frames from one look to the next: usually, and while nothing is found
MANY = 0.01  # part of an output that is infinite: single values may be, at places that hold no object
DAMAGE = "float16 overflow, or damaged weights: export it again, in float32"
WHY = "float16 overflow, damaged weights, or wrong --mean and --std; edge-identify shows what fits"

log = logging.getLogger("edge_runtime")


class OutputWatch:
    """Counts the images whose outputs are not finite. One thread calls it.

    Attributes:
        every: a look is made on each frame whose number is a multiple of it.
        looked: number of images that were looked at.
        bad: number of images with NaN, or with many infinite values.
    """

    def __init__(self, every: int = EVERY) -> None:
        self.every = every
        self.looked = self.bad = self._frames = 0
        self._was_bad = False

    def seen(self, backend: Backend, slot: int, images: int, found: int) -> None:
        """Looks at the outputs of a slot, if it is time to. To be called after `wait`.

        Args:
            images: number of images in the slot.
            found: number of boxes in all of them.
        """
        number = self._frames
        self._frames += 1
        if number % (self.every if found else min(self.every, EMPTY)) and not self._was_bad:
            return
        outputs = backend.outputs(slot)
        bad = sum(any(not_finite(output[image : image + 1]) for output in outputs) for image in range(images))
        if bad and not self.bad:
            log.warning("the outputs of the model are not finite (NaN or infinite): %s", WHY)
        self.looked += images
        self.bad += bad
        self._was_bad = bool(bad)

    def refuse(self, path: str) -> None:
        """Raises ModelError if an image was bad."""
        if self.bad:
            fact = f"the outputs of {path} are not finite (NaN or infinite) on {self.bad} of {self.looked} pictures"
            raise ModelError(fact, hint=WHY)


def not_finite(values: NDArray[np.float32]) -> bool:
    """Whether an array of any shape holds NaN, or many infinite values. A sum is the cheapest pass over all of them."""
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):
            return False
    return bool(np.isnan(values).any() or np.isinf(values).sum() > MANY * values.size)
