"""Tiny YOLOv3 (Redmon and Farhadi 2018; Darknet's yolov3-tiny.cfg): heads at strides 32 and 16."""

from __future__ import annotations

from typing import Tuple

from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo.layers import IMAGE, Architecture, Table

PRESETS = ("coco_anchors", "voc_anchors")
STRIDES = (16, 32)
# Anchors in model pixels, finest stride first. Those for VOC are from Salvi et al., whose masks are 1,2,3 and 3,4,5.
ANCHORS = {
    "coco_anchors": (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319))),
    "voc_anchors": (((80, 98), (112, 204), (198, 302)), ((198, 302), (295, 152), (385, 333))),
}


def build(labels: Tuple[str, ...], imgsz: int, preset: str) -> Architecture:
    """See `zoo.build`."""
    table, x = Table(), IMAGE
    for number, channels in enumerate((16, 32, 64, 128, 256, 512)):
        x = table.conv(f"conv{number}", x, channels, 3, act="leaky")
        x = table.maxpool(f"pool{number}", x, stride=1 if channels == 512 else 2)
    per_cell = len(ANCHORS[preset][0]) * (5 + len(labels))
    x = table.conv("conv6", x, 1024, 3, act="leaky")
    neck = table.conv("conv7", x, 256, act="leaky")
    coarse = table.head("head13", table.conv("conv8", neck, 512, 3, act="leaky"), per_cell)
    x = table.up_concat("cat", table.conv("conv9", neck, 128, act="leaky"), "conv4")
    fine_head = table.head("head26", table.conv("conv10", x, 256, 3, act="leaky"), per_cell)
    spec = ModelSpec("yolo_v3", (imgsz, imgsz), labels, anchors=ANCHORS[preset], strides=STRIDES)
    return Architecture(f"tiny_yolo_v3-{preset}", tuple(table.layers), (fine_head, coarse), spec)
