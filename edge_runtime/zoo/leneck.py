"""LeNeck (Hollard et al. 2024): the neck and the heads of LeYOLO Nano on the trunks of light classifiers.

The channels are those of the published configurations. They differ here and there from the classifiers of the same
name. The classifiers are in `ssdlite.py`.
"""

from __future__ import annotations

from typing import Tuple

from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo import _fpan
from edge_runtime.zoo._trunks import SOFT, Stage, Trunk, add_trunk
from edge_runtime.zoo.layers import Architecture, Table

SIDE = 320
POOLED = 96
TRUNKS = {
    "mobilenet_v3_small": Trunk(16, "hardswish", (
        Stage(16, 3, 2, (0,), (4,), "relu"), Stage(24, 3, 2, (72, 88), (), "relu"),
        Stage(40, 5, 2, (96, 240, 240), (24, 60, 60)), Stage(48, 5, 1, (120, 144), (30, 36)),
        Stage(96, 5, 2, (288, 576, 576), (72, 144, 144)),
    )),
    "mobilenet_v3_large": Trunk(16, "hardswish", (
        Stage(16, 3, 1, (0,), (), "relu"), Stage(24, 3, 2, (64, 72), (), "relu"), Stage(24, 5, 2, (72,), (18,), "relu"),
        Stage(40, 5, 1, (120, 120), (30, 30), "relu"), Stage(80, 3, 2, (240, 200, 184, 184)),
        Stage(112, 3, 1, (480,), (120,)), Stage(112, 5, 1, (672,), (168,)),
        Stage(160, 5, 2, (672, 960, 960), (168, 240, 240)),
    )),
    "mobilenet_v2": Trunk(32, "relu", (
        Stage(16, 3, 1, (0,)), Stage(24, 3, 2, (96, 144)), Stage(32, 3, 2, (144, 192, 192)),
        Stage(64, 3, 2, (192, 384, 384, 384)), Stage(96, 3, 1, (384, 576, 576)), Stage(160, 3, 2, (576, 960, 960)),
        Stage(320, 3, 1, (960,)),
    )),
    "mobilenet_v2_050": Trunk(16, "relu", (
        Stage(8, 3, 1, (0,)), Stage(16, 3, 2, (48, 144)), Stage(16, 3, 2, (72, 96, 96)),
        Stage(32, 3, 2, (96, 192, 192, 192)), Stage(48, 3, 1, (192, 288, 288)), Stage(80, 3, 2, (288, 480, 480)),
        Stage(160, 3, 1, (480,)),
    )),
    "mnasnet_100": Trunk(32, "relu", (
        Stage(16, 3, 1, (0,)), Stage(24, 3, 2, (48, 72, 72)), Stage(40, 5, 2, (120, 120, 120)),
        Stage(80, 5, 2, (240, 480, 480)), Stage(96, 3, 1, (480, 576)), Stage(192, 5, 2, (576, 1152, 1152)),
        Stage(320, 3, 1, (1152,)),
    )),
    "mnasnet_050": Trunk(16, "relu", (
        Stage(8, 3, 1, (0,)), Stage(16, 3, 2, (24, 48, 48)), Stage(24, 5, 2, (48, 72, 72)),
        Stage(40, 5, 2, (144, 240, 240)), Stage(48, 3, 1, (240, 240)), Stage(96, 5, 2, (288, 576, 576, 576)),
        Stage(160, 3, 1, (576,)),
    )),
    "mnasnet_035": Trunk(16, "relu", (
        Stage(8, 3, 1, (0,)), Stage(8, 3, 2, (15, 22, 2)), Stage(16, 5, 2, (36, 36, 36)),
        Stage(24, 5, 2, (72, 144, 144)), Stage(32, 3, 1, (144, 172)), Stage(64, 5, 2, (346, 346, 346)),
        Stage(96, 3, 1, (346,)),
    )),
    "efficientnet_b0": Trunk(32, "silu", (
        Stage(16, 3, 1, (32,), (1,)), Stage(24, 3, 2, (96, 144), (4, 6)), Stage(40, 5, 2, (144, 240), (6, 10)),
        Stage(80, 3, 2, (240, 480, 480), (10, 20, 20)), Stage(112, 5, 1, (144, 672, 672), (6, 28, 28)),
        Stage(192, 5, 2, (672, 1152, 1152), (28, 48, 48)), Stage(192, 3, 1, (1152,), (48,)),
    ), SOFT),
}  # fmt: skip
PRESETS = tuple(TRUNKS)
# Where the maps of stride 8 and 16 are taken. That of MobileNetV3 small is the first block of its stage, as published.
TAPS = {
    "mobilenet_v3_small": ("stage1.0.project", "stage3.1.add"),
    "mobilenet_v3_large": ("stage3.1.add", "stage6.0.add"),
    "mobilenet_v2": ("stage2.2.add", "stage4.2.add"),
    "mobilenet_v2_050": ("stage2.2.add", "stage4.2.add"),
    "mnasnet_100": ("stage2.2.add", "stage4.1.add"),
    "mnasnet_050": ("stage2.2.add", "stage4.1.add"),
    "mnasnet_035": ("stage2.2.add", "stage4.1.add"),
    "efficientnet_b0": ("stage2.1.add", "stage4.2.add"),
}


def build(labels: Tuple[str, ...], imgsz: int, preset: str) -> Architecture:
    """See `zoo.build`."""
    table = Table()
    end = add_trunk(table, TRUNKS[preset], bias=True)
    pooled = _fpan.add_pools(table, "pools", end, POOLED)
    ends = _fpan.add_neck(table, (*TAPS[preset], pooled))
    outputs = _fpan.add_heads(table, ends, len(labels))
    spec = ModelSpec("yolo_v8", (imgsz, imgsz), labels, strides=_fpan.STRIDES)
    return Architecture(f"leneck-{preset}", tuple(table.layers), outputs, spec)
