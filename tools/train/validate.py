"""mAP of a network in training: its heads through the runtime's own decoder, VOC 11-point on a held-out split."""

from __future__ import annotations

from typing import List, Sequence

import numpy as np
import torch

from edge_runtime import heads
from edge_runtime.accuracy import voc
from edge_runtime.model.geometry import Letterbox
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from edge_runtime.types import Truth

THRESHOLDS = Thresholds(conf=0.005, iou=0.45, max_det=300, multi_label=True)
Rows = np.ndarray


@torch.no_grad()
def detect(net: torch.nn.Module, spec: ModelSpec, images: np.ndarray, batch: int, device: torch.device) -> List[Rows]:
    """(n, 6) rows `[x1, y1, x2, y2, score, class]` per image, pixels of the square input.

    Args:
        images: (N, side, side, 3) uint8 RGB.
    """
    found: List[Rows] = []
    side = images.shape[1]
    frame = np.array([ops.frame_row(Letterbox(1.0, 1.0, 0, 0, side, side), (side, side))])
    boxes, counts = np.zeros((1, THRESHOLDS.max_det, 6), np.float32), np.zeros(1, np.int32)
    decoder, mask = None, np.ones(len(spec.labels), np.uint8)
    for first in range(0, len(images), batch):
        pixels = torch.from_numpy(np.array(images[first : first + batch])).to(device)
        values = net(pixels.permute(0, 3, 1, 2).float() / 255)[: len(spec.strides)]
        outputs = [head.float().cpu().numpy() for head in values]
        if decoder is None:
            decoder = _decoder(spec, outputs, side)
        for number in range(len(pixels)):
            tensors = [np.ascontiguousarray(output[number : number + 1]) for output in outputs]
            decoder(tensors, frame, THRESHOLDS, mask, boxes, counts)
            found.append(boxes[0, : counts[0]].copy())
    return found


def _decoder(spec: ModelSpec, outputs: Sequence[np.ndarray], side: int) -> ops.Decoder:
    shapes = [(1, *output.shape[1:]) for output in outputs]
    io = ModelIO("images", (1, 3, side, side), {f"head{i}": shape for i, shape in enumerate(shapes)})
    decode = heads.load_head(spec.family).describe(io, spec)
    assert decode is not None
    return ops.Decoder(decode, shapes)


def mean_ap(found: Sequence[Rows], boxes: np.ndarray, num_classes: int) -> float:
    """voc07_11pt of `detect`'s rows.

    Args:
        boxes: (N, T, 5) `[class, cx, cy, w, h]`, w = 0 for none.
    """
    curves = voc.curves(found, [_truth(rows[rows[:, 3] > 0]) for rows in boxes], num_classes)
    return voc.mean([curve.eleven_point() for curve in curves], curves)


def _truth(rows: np.ndarray) -> Truth:
    xyxy = np.concatenate([rows[:, 1:3] - rows[:, 3:5] / 2, rows[:, 1:3] + rows[:, 3:5] / 2], 1)
    return Truth(xyxy.astype(float), rows[:, 0].astype(int), np.zeros(len(rows), bool))
