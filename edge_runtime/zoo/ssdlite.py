"""SSDLite (Sandler et al. 2018; Howard et al. 2019): six levels of depthwise heads on the trunks of light classifiers.

On MobileNetV3 large it is torchvision's ssdlite320_mobilenet_v3_large, and has its priors. As Howard et al. say, the
trunks of MobileNetV3 have half of their channels behind the first tap. The further levels are equally wide on all
trunks.
"""

from __future__ import annotations

from typing import Tuple

from edge_runtime.errors import UsageError
from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo._trunks import SOFT, Stage, Trunk, add_trunk
from edge_runtime.zoo.layers import Architecture, Layer, Table

SIDE = 320
MEAN = STD = (127.5, 127.5, 127.5)
PRIORS = 6  # of each cell, on each level
EXTRA = (512, 256, 256, 128)
ACT = "relu6"
TRUNKS = {
    "mobilenet_v3_large": Trunk(16, "hardswish", (
        Stage(16, 3, 1, (0,), (), "relu"), Stage(24, 3, 2, (64, 72), (), "relu"),
        Stage(40, 5, 2, (72, 120, 120), (24, 32, 32), "relu"), Stage(80, 3, 2, (240, 200, 184, 184)),
        Stage(112, 3, 1, (480, 672), (120, 168)), Stage(80, 5, 2, (672, 480, 480), (168, 120, 120)),
    ), last=480),
    "mobilenet_v3_small": Trunk(16, "hardswish", (
        Stage(16, 3, 2, (0,), (8,), "relu"), Stage(24, 3, 2, (72, 88), (), "relu"),
        Stage(40, 5, 2, (96, 240, 240), (24, 64, 64)), Stage(48, 5, 1, (120, 144), (32, 40)),
        Stage(48, 5, 2, (288, 288, 288), (72, 72, 72)),
    ), last=288),
    "mobilenet_v2": Trunk(32, "relu6", (
        Stage(16, 3, 1, (0,)), Stage(24, 3, 2, (96, 144)), Stage(32, 3, 2, (144, 192, 192)),
        Stage(64, 3, 2, (192, 384, 384, 384)), Stage(96, 3, 1, (384, 576, 576)), Stage(160, 3, 2, (576, 960, 960)),
        Stage(320, 3, 1, (960,)),
    ), last=1280),
    "mobilenet_v2_050": Trunk(16, "relu6", (
        Stage(8, 3, 1, (0,)), Stage(16, 3, 2, (48, 96)), Stage(16, 3, 2, (96, 96, 96)),
        Stage(32, 3, 2, (96, 192, 192, 192)), Stage(48, 3, 1, (192, 288, 288)), Stage(80, 3, 2, (288, 480, 480)),
        Stage(160, 3, 1, (480,)),
    ), last=1280),
    "mnasnet_100": Trunk(32, "relu", (
        Stage(16, 3, 1, (0,)), Stage(24, 3, 2, (48, 72, 72)), Stage(40, 5, 2, (72, 120, 120)),
        Stage(80, 5, 2, (240, 480, 480)), Stage(96, 3, 1, (480, 576)), Stage(192, 5, 2, (576, 1152, 1152, 1152)),
        Stage(320, 3, 1, (1152,)),
    ), last=1280),
    "mnasnet_050": Trunk(16, "relu", (
        Stage(8, 3, 1, (0,)), Stage(16, 3, 2, (24, 48, 48)), Stage(24, 5, 2, (48, 72, 72)),
        Stage(40, 5, 2, (144, 240, 240)), Stage(48, 3, 1, (240, 288)), Stage(96, 5, 2, (288, 576, 576, 576)),
        Stage(160, 3, 1, (576,)),
    ), last=1280),
    "mnasnet_035": Trunk(16, "relu", (
        Stage(8, 3, 1, (0,)), Stage(8, 3, 2, (24, 24, 24)), Stage(16, 5, 2, (24, 48, 48)),
        Stage(32, 5, 2, (96, 192, 192)), Stage(32, 3, 1, (192, 192)), Stage(64, 5, 2, (192, 384, 384, 384)),
        Stage(112, 3, 1, (384,)),
    ), last=1280),
    "efficientnet_b0": Trunk(32, "silu", (
        Stage(16, 3, 1, (0,), (8,)), Stage(24, 3, 2, (96, 144), (4, 6)), Stage(40, 5, 2, (144, 240), (6, 10)),
        Stage(80, 3, 2, (240, 480, 480), (10, 20, 20)), Stage(112, 5, 1, (480, 672, 672), (20, 28, 28)),
        Stage(192, 5, 2, (672, 1152, 1152, 1152), (28, 48, 48, 48)), Stage(320, 3, 1, (1152,), (48,)),
    ), SOFT, last=1280),
}  # fmt: skip
PRESETS = tuple(TRUNKS)


def build(labels: Tuple[str, ...], imgsz: int, preset: str) -> Architecture:
    """See `zoo.build`.

    Raises:
        UsageError: there are three classes. Their scores, with the background, have four columns like boxes.
    """
    if len(labels) == 3:
        raise UsageError(
            "the outputs of an SSDLite with three classes cannot be told apart: both have four columns",
            hint="give a fourth class, which may stay without objects",
        )
    table, trunk = Table(), TRUNKS[preset]
    halving = max(number for number, stage in enumerate(trunk.stages) if stage.stride == 2)
    last16 = f"stage{halving}.0.expand"  # the last map of stride 16, and the widest
    maps = [last16, add_trunk(table, trunk)]
    for number, channels in enumerate(EXTRA):
        maps.append(_halved(table, f"extra{number}", maps[-1], channels))
    outputs = []
    for kind, columns in (("boxes", 4), ("scores", 1 + len(labels))):  # class 0 is the background
        parts = [_branch(table, f"{kind}{level}", source, columns) for level, source in enumerate(maps)]
        outputs.append(table.put(Layer(kind, "rows", tuple(parts), columns)))
    spec = ModelSpec("ssd", (imgsz, imgsz), labels, resize="stretch", mean=MEAN, std=STD)
    return Architecture(f"ssdlite-{preset}", tuple(table.layers), tuple(outputs), spec)


def _halved(table: Table, name: str, source: str, channels: int) -> str:
    x = table.conv(f"{name}.squeeze", source, channels // 2, act=ACT)
    x = table.depthwise(f"{name}.depthwise", x, stride=2, act=ACT)
    return table.conv(f"{name}.expand", x, channels, act=ACT)


def _branch(table: Table, name: str, source: str, columns: int) -> str:
    x = table.depthwise(f"{name}.depthwise", source, act=ACT)
    return table.head(f"{name}.out", x, PRIORS * columns)
