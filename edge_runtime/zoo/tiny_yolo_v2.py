"""Tiny YOLOv2 (Redmon and Farhadi 2016; Darknet's yolov2-tiny-voc.cfg): one region head at stride 32."""

from __future__ import annotations

from typing import Tuple

from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo.layers import IMAGE, Architecture, Table

PRESETS = ("voc",)
STRIDE = 32
ANCHOR_CELLS = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))


def build(labels: Tuple[str, ...], imgsz: int, preset: str) -> Architecture:
    """See `zoo.build`."""
    table, x = Table(), IMAGE
    for number, channels in enumerate((16, 32, 64, 128, 256, 512)):
        x = table.conv(f"conv{number}", x, channels, 3, act="leaky")
        x = table.maxpool(f"pool{number}", x, stride=1 if channels == 512 else 2)
    for number in (6, 7):
        x = table.conv(f"conv{number}", x, 1024, 3, act="leaky")
    head = table.head("head13", x, len(ANCHOR_CELLS) * (5 + len(labels)))
    anchors = (tuple((w * STRIDE, h * STRIDE) for w, h in ANCHOR_CELLS),)
    spec = ModelSpec("yolo_v2", (imgsz, imgsz), labels, anchors=anchors, strides=(STRIDE,))
    return Architecture("tiny_yolo_v2", tuple(table.layers), (head,), spec)
