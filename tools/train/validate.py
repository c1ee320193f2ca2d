"""mAP of a network in training: its heads through the runtime's own decoder, VOC 11-point on a held-out split."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import numpy as np
import torch

from edge_runtime import heads, ops
from edge_runtime.geometry import Letterbox
from edge_runtime.spec import ModelIO, ModelSpec, Thresholds

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
        outputs = [head.float().cpu().numpy() for head in net(pixels.permute(0, 3, 1, 2).float() / 255)]
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
    decode = heads.load(spec.family).describe(io, spec)
    assert decode is not None
    return ops.Decoder(decode, shapes)


def mean_ap(found: Sequence[Rows], boxes: np.ndarray, num_classes: int) -> Tuple[float, List[float]]:
    """(mAP, AP per class that occurs), PASCAL VOC 2007 11-point, IoU above 0.5.

    Args:
        boxes: (N, T, 5) `[class, cx, cy, w, h]`, w = 0 for none.
    """
    per_class = [ap for ap in (_average_precision(found, boxes, c) for c in range(num_classes)) if ap is not None]
    return float(np.mean(per_class)) if per_class else 0.0, per_class


def _average_precision(found: Sequence[Rows], boxes: np.ndarray, class_id: int) -> float | None:
    truths: Dict[int, np.ndarray] = {}
    for image, rows in enumerate(boxes):
        own = rows[(rows[:, 3] > 0) & (rows[:, 0] == class_id), 1:]
        truths[image] = np.concatenate([own[:, :2] - own[:, 2:] / 2, own[:, :2] + own[:, 2:] / 2], 1)
    total = sum(map(len, truths.values()))
    if not total:
        return None
    hits = [(row[4], image, row[:4]) for image, rows in enumerate(found) for row in rows if row[5] == class_id]
    taken = {image: np.zeros(len(own), bool) for image, own in truths.items()}
    right = np.array(
        [_matches(box, truths[image], taken[image]) for _, image, box in sorted(hits, key=lambda h: -h[0])]
    )
    true = np.cumsum(right)
    precision, recall = true / np.arange(1, len(true) + 1), true / total
    return float(np.mean([precision[recall >= k / 10 - 1e-12].max(initial=0.0) for k in range(11)]))


def _matches(box: np.ndarray, truths: np.ndarray, taken: np.ndarray) -> bool:
    if not len(truths):
        return False
    size = np.clip(np.minimum(box[2:], truths[:, 2:]) - np.maximum(box[:2], truths[:, :2]), 0, None)
    inter = size[:, 0] * size[:, 1]
    areas = np.prod(truths[:, 2:] - truths[:, :2], 1) + np.prod(box[2:] - box[:2])
    overlap = inter / (areas - inter)
    best = int(overlap.argmax())
    if overlap[best] <= 0.5 or taken[best]:
        return False
    taken[best] = True
    return True
