"""LeYOLO (Hollard et al. 2024, arXiv 2406.14239): inverted bottlenecks throughout, and the heads of YOLOv8.

The channels are those of the published configurations. In that of "medium" the heads read three maps that lie before
the ends of their branches. So four blocks are read by nothing. They are counted, as published, and are not exported.
"Large" is "medium" at 768 pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Tuple

from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo import _fpan
from edge_runtime.zoo._trunks import Stage, add_stages
from edge_runtime.zoo.layers import IMAGE, Architecture, Table

SIDE = 640
STEM, POOLED = 16, 96
TRUNK = (
    Stage(16, 3, 2, (0,)), Stage(32, 3, 2, (96, 96)), Stage(64, 5, 2, (96, 192, 192, 192, 192)),
    Stage(96, 5, 2, (576, 576, 576, 576)),
)  # fmt: skip
DEEPER = (
    Stage(16, 3, 2, (0,)), Stage(32, 3, 2, (96, 96, 96)), Stage(64, 5, 2, (96, 192, 192, 192, 192, 192)),
    Stage(96, 5, 2, (576, 576, 576, 576, 576)),
)  # fmt: skip
DEEPER_NECK = _fpan.Neck(
    (Stage(64, 5, 1, (128, 128, 128, 128)),),
    (Stage(32, 3, 1, (0, 64, 64)), Stage(64, 5, 1, (128,))),
    (Stage(64, 5, 1, (128, 128, 128, 128)),),
    (Stage(96, 5, 1, (192, 192, 192)), Stage(64, 5, 1, (128,))),
)
EARLY = ("out8.0.1.add", "out16.0.0.project", "back32")


class Size(NamedTuple):
    """What a preset is made of.

    Attributes:
        width: times all channels, rounded up to multiples of 8.
        trunk, neck: their blocks.
        taps: what the heads read; empty: the ends of the neck.
        unread: beginning of the names of layers that no output reads.
    """

    width: float
    trunk: Tuple[Stage, ...]
    neck: _fpan.Neck
    taps: Tuple[str, ...] = ()
    unread: Tuple[str, ...] = ()


SIZES = {
    "nano": Size(1.0, TRUNK, _fpan.NANO),
    "small": Size(1.33, TRUNK, _fpan.NANO),
    "medium": Size(1.33, DEEPER, DEEPER_NECK, EARLY, ("out32.",)),
}
PRESETS = tuple(SIZES)


def build(labels: Tuple[str, ...], imgsz: int, preset: str) -> Architecture:
    """See `zoo.build`."""
    table, size = Table(), SIZES[preset]
    neck = _fpan.Neck(*(_widened(group, size.width) for group in size.neck))
    ends = _fpan.add_neck(table, _add_trunk(table, size), neck)
    outputs = _fpan.add_heads(table, size.taps or ends, len(labels))
    read = tuple(layer for layer in table.layers if not layer.name.startswith(size.unread))
    unread = tuple(layer for layer in table.layers if layer.name.startswith(size.unread))
    spec = ModelSpec("yolo_v8", (imgsz, imgsz), labels, strides=_fpan.STRIDES)
    return Architecture(f"leyolo-{preset}", read, outputs, spec, unread)


def _add_trunk(table: Table, size: Size) -> Tuple[str, str, str]:
    """Adds the trunk and returns the names of its maps of strides 8, 16 and 32."""
    x = table.conv("stem0", IMAGE, _wide(STEM, size.width), 3, 2, _fpan.ACT, bias=True)
    x = table.conv("stem1", x, _wide(STEM, size.width), 1, 1, _fpan.ACT, bias=True)
    ends = []
    for number, stage in enumerate(_widened(size.trunk, size.width)):
        x = add_stages(table, f"trunk{number}.", x, (stage,), _fpan.ACT, bias=True)
        ends.append(x)
    return ends[1], ends[2], _fpan.add_pools(table, "pools", x, _wide(POOLED, size.width))


def _wide(channels: int, width: float) -> int:
    return math.ceil(channels * width / 8) * 8


def _widened(stages: Tuple[Stage, ...], width: float) -> Tuple[Stage, ...]:
    channels = [_wide(stage.channels, width) for stage in stages]
    hidden = [tuple(_wide(h, width) for h in stage.hidden) for stage in stages]
    return tuple(stage._replace(channels=c, hidden=h) for stage, c, h in zip(stages, channels, hidden))
