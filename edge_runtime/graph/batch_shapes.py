"""Where the pictures lie after operators that move, cut or repeat values; see `batch_axes`."""

from __future__ import annotations

from math import prod
from typing import Optional

import numpy as np

from edge_runtime.graph.batch_seen import Seen

FAR = 1 << 30  # the end of a Slice that takes all
MODES = ("coordinate_transformation_mode", "keep_aspect_ratio_policy")  # of Resize
PLACED = (b"half_pixel", b"half_pixel_symmetric", b"pytorch_half_pixel", b"align_corners", b"asymmetric",
          b"tf_half_pixel_for_nn")  # fmt: skip


def squeezed(seen: Seen) -> Optional[int]:
    """Squeeze: named axes go."""
    axes = seen.numbers("axes", 1)
    gone = {axis + seen.rank if axis < 0 else axis for axis in axes or ()}
    if not gone or not seen.alone or seen.axis in gone:
        return None
    return seen.axis - sum(axis < seen.axis for axis in gone)


def unsqueezed(seen: Seen) -> Optional[int]:
    """Unsqueeze: new axes come."""
    axes = seen.numbers("axes", 1)
    if not axes or not seen.alone:
        return None
    rank = seen.rank + len(axes)
    new = {axis + rank if axis < 0 else axis for axis in axes}
    return [place for place in range(rank) if place not in new][seen.axis]


def turned(seen: Seen) -> Optional[int]:
    """Transpose."""
    order = list(seen.given.get("perm", range(seen.rank - 1, -1, -1)))
    return order.index(seen.axis) if seen.alone else None


def reshaped(seen: Seen) -> Optional[int]:
    """Reshape: as many values lie before the pictures as in the input."""
    if not seen.alone or seen.made is None or 0 in seen.made:
        return None
    before = prod((seen.shapes[0] or ())[: seen.axis])
    fits = [place for place, size in enumerate(seen.made) if size == 1 and prod(seen.made[:place]) == before]
    return min(fits, key=lambda place: (place != seen.axis, place)) if fits else None


def flat(seen: Seen) -> Optional[int]:
    """Flatten into (B, …)."""
    return 0 if seen.alone and seen.axis == 0 and seen.along(1) == 1 else None


def cut(seen: Seen) -> Optional[int]:
    """Slice: all pictures are kept."""
    starts, ends = seen.numbers("starts", 1), seen.numbers("ends", 2)
    if not seen.alone or starts is None or ends is None:
        return None
    axes = seen.numbers("axes", 3) or list(range(len(starts)))
    steps = seen.numbers("steps", 4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps):
        if axis % seen.rank == seen.axis and ((start, step) != (0, 1) or end < FAR):
            return None
    return seen.axis


def padded(seen: Seen) -> Optional[int]:
    """Pad: no picture is added."""
    pads, axes = seen.numbers("pads", 1), seen.numbers("", 3)
    if not seen.alone or pads is None:
        return None
    named = [axis % seen.rank for axis in axes] if axes else list(range(seen.rank))
    half = len(pads) // 2
    around = {axis: (pads[place], pads[half + place]) for place, axis in enumerate(named)}
    return seen.axis if around.get(seen.axis, (0, 0)) == (0, 0) else None


def resized(seen: Seen) -> Optional[int]:
    """Resize and Upsample: the number of pictures stays. The last input is what counts: sizes, or else scales."""
    axes, modes = seen.given.get("axes"), (seen.given.get(name) for name in MODES)
    factors = seen.given.get("scales", seen.values[-1])
    crops = any(mode not in (None, b"stretch", *PLACED) for mode in modes)
    if not seen.alone or seen.axis or crops or factors is None:
        return None
    if axes:
        return None if 0 in [axis % seen.rank for axis in axes] else 0
    return 0 if list(np.asarray(factors).reshape(-1)[:1]) == [1] else None


def expanded(seen: Seen) -> Optional[int]:
    """Expand: no picture is repeated."""
    asked = seen.numbers("", 1)
    if not seen.alone or asked is None:
        return None
    place = seen.rank - seen.axis
    same = len(asked) < place or asked[-place] == 1
    return max(len(asked), seen.rank) - place if same else None


def tiled(seen: Seen) -> Optional[int]:
    """Tile: no picture is repeated."""
    asked = seen.numbers("", 1)
    return seen.axis if seen.alone and asked is not None and asked[seen.axis] == 1 else None


def picked(seen: Seen) -> Optional[int]:
    """Gather, with indices that are the same for all pictures."""
    indices = seen.shapes[1]
    axis = seen.along(0)
    if not seen.alone or indices is None or axis == seen.axis:
        return None
    return seen.axis if seen.axis < axis else seen.axis - 1 + len(indices)


def picked_each(seen: Seen) -> Optional[int]:
    """GatherElements, with indices of each picture."""
    return seen.axis if seen.axes[0] == seen.axes[1] is not None and seen.along(0) != seen.axis else None
