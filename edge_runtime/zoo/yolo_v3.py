"""YOLOv3 (Redmon and Farhadi 2018; Darknet's yolov3.cfg): Darknet-53 and three heads."""

from __future__ import annotations

from typing import List, Tuple

from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo.layers import IMAGE, Architecture, Table

PRESETS = ("coco_anchors", "voc_anchors")
STRIDES = (8, 16, 32)
# Anchors in model pixels, finest stride first. Those for VOC are from Salvi et al.
ANCHORS = {
    "coco_anchors": (
        ((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)),
    ),
    "voc_anchors": (
        ((26, 31), (43, 84), (81, 171)), ((103, 68), (145, 267), (180, 135)), ((247, 325), (362, 178), (412, 346)),
    ),
}  # fmt: skip
STAGES = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))


def build(labels: Tuple[str, ...], imgsz: int, preset: str) -> Architecture:
    """See `zoo.build`."""
    table = Table()
    per_cell = len(ANCHORS[preset][0]) * (5 + len(labels))
    taps = _darknet53(table)
    x, heads = taps[-1], []
    for level, (name, channels) in enumerate((("13", 512), ("26", 256), ("52", 128))):
        if level:
            x = table.conv(f"route{name}", x, channels, act="leaky")
            x = table.up_concat(f"cat{name}", x, taps[-1 - level])
        for step in range(5):
            wide = step % 2
            x = table.conv(f"neck{name}.{step}", x, channels * (1 + wide), 3 if wide else 1, act="leaky")
        top = table.conv(f"neck{name}.5", x, 2 * channels, 3, act="leaky")
        heads.append(table.head(f"head{name}", top, per_cell))
    spec = ModelSpec("yolo_v3", (imgsz, imgsz), labels, anchors=ANCHORS[preset], strides=STRIDES)
    return Architecture(f"yolo_v3-{preset}", tuple(table.layers), tuple(reversed(heads)), spec)


def _darknet53(table: Table) -> List[str]:
    """Adds the trunk, and returns the names of its outputs at strides 8, 16 and 32."""
    x, taps = table.conv("stem", IMAGE, 32, 3, act="leaky"), []
    for stage, (channels, blocks) in enumerate(STAGES):
        x = table.conv(f"stage{stage}", x, channels, 3, 2, act="leaky")
        for block in range(blocks):
            name = f"stage{stage}.{block}"
            branch = table.conv(f"{name}.squeeze", x, channels // 2, act="leaky")
            x = table.residual(name, x, table.conv(f"{name}.expand", branch, channels, 3, act="leaky"))
        taps.append(x)
    return taps[-3:]
