"""The neck and the heads of LeYOLO: maps of strides 8, 16 and 32 down, up again, and raw heads as YOLOv8 has them."""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

from edge_runtime.zoo._trunks import Stage, add_stages
from edge_runtime.zoo.layers import Layer, Table

STRIDES = (8, 16, 32)
ACT = "silu"
SIDES, BINS = 4, 16  # each side of a box is a distribution over 16 distances
CLASS_WIDTH = 80  # also where there are fewer classes than COCO's


class Neck(NamedTuple):
    """Blocks behind each of the four joins: two on the way down to fine maps, two on the way back."""

    down16: Tuple[Stage, ...]
    down8: Tuple[Stage, ...]
    out16: Tuple[Stage, ...]
    out32: Tuple[Stage, ...]


NANO = Neck(
    (Stage(64, 5, 1, (128, 128, 128)),),
    (Stage(32, 3, 1, (0, 64, 64)),),
    (Stage(64, 5, 1, (128, 128, 128)),),
    (Stage(96, 5, 1, (192, 192, 192)),),
)


def add_pools(table: Table, name: str, source: str, channels: int) -> str:
    """Adds a spatial pyramid: three maxima over 5x5 in turn, and all four maps joined (SPPF)."""
    x = table.conv(f"{name}.squeeze", source, table.channels(source) // 2, act=ACT)
    maps = [x]
    for number in range(3):
        pool = Layer(f"{name}.pool{number}", "maxpool", (maps[-1],), table.channels(x), 5, pads=(2, 2, 2, 2))
        maps.append(table.put(pool))
    return table.conv(f"{name}.project", table.concat(f"{name}.join", *maps), channels, act=ACT)


def add_neck(table: Table, taps: Sequence[str], neck: Neck = NANO) -> Tuple[str, str, str]:
    """Adds the neck on maps of strides 8, 16 and 32, and returns the names of its outputs at these strides."""
    fine, middle, coarse = taps
    x = table.up_concat("join16", coarse, middle)
    down16 = add_stages(table, "down16.", x, neck.down16, ACT, bias=True)
    x = table.up_concat("join8", down16, fine)
    out8 = add_stages(table, "out8.", x, neck.down8, ACT, bias=True)
    out16 = _finer_to_coarser(table, 16, out8, down16, neck.out16)
    return out8, out16, _finer_to_coarser(table, 32, out16, coarse, neck.out32)


def _finer_to_coarser(table: Table, stride: int, finer: str, coarser: str, stages: Sequence[Stage]) -> str:
    x = table.conv(f"halve{stride}", finer, stages[0].channels, 3, 2, ACT, bias=True)
    x = table.concat(f"back{stride}", x, coarser)
    return add_stages(table, f"out{stride}.", x, stages, ACT, bias=True)


def add_heads(table: Table, taps: Sequence[str], classes: int) -> Tuple[str, ...]:
    """Adds a head on each map: 64 channels of distributions, then one of each class. Returns the names."""
    outputs = []
    for stride, tap in zip(STRIDES, taps):
        box = _branch(table, f"head{stride}.box", tap, SIDES * BINS, SIDES * BINS)
        score = _branch(table, f"head{stride}.class", tap, CLASS_WIDTH, classes)
        outputs.append(table.concat(f"head{stride}", box, score))
    return tuple(outputs)


def _branch(table: Table, name: str, source: str, width: int, channels: int) -> str:
    x = table.conv(f"{name}.squeeze", source, width, act=ACT)
    for number in range(2):
        x = table.depthwise(f"{name}.depthwise{number}", x, act=ACT)
    return table.head(f"{name}.out", x, channels)
