"""The loss of YOLOv3-type heads: several anchors and neighbouring cells per object, CIoU, balanced objectness.

Each object is given to every anchor whose sides are within a factor RATIO of its own, in its own cell and the two
nearest neighbours (YOLOv5's assignment); centres therefore have to reach beyond their cell, which scale_xy = 2 allows.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional as F

from edge_runtime.model.spec import ModelSpec

RATIO = 4.0
REACH = 0.5
BALANCE = (4.0, 1.0, 0.4)  # objectness per level, finest first: small grids have fewer empty cells
BOX, OBJECTNESS, CLASS = 0.05, 0.5, 0.5  # about as YOLOv5 weighs them; CLASS at 80 classes, scaled in Loss


class Loss:
    """Callable: (raw heads finest first, targets (B, T, 5)) -> (loss, [box, objectness, class])."""

    def __init__(self, spec: ModelSpec, device: torch.device, smoothing: float = 0.02) -> None:
        self.anchors = torch.tensor(spec.anchors, device=device)
        self.strides, self.classes = spec.strides, len(spec.labels)
        self.scale_xy = spec.scale_xy or (1.0,) * len(spec.strides)
        self.smoothing = smoothing

    def __call__(self, heads: Sequence[Tensor], targets: Tensor) -> Tuple[Tensor, List[float]]:
        box = objectness = category = heads[0].new_zeros(())
        for level, head in enumerate(heads):
            rows = head_rows(head.float(), self.classes)
            wanted = torch.zeros_like(rows[..., 4])
            image, anchor, y, x, boxes, class_id = self._assign(level, targets, rows.shape[2:4])
            if len(image):
                found = rows[image, anchor, y, x]
                overlap = ciou(self._decode(level, found, anchor, y, x), boxes)
                box = box + (1 - overlap).mean()
                wanted.index_put_((image, anchor, y, x), overlap.detach().clamp(0))
                off, on = self.smoothing / 2, 1 - self.smoothing / 2
                labels = torch.full_like(found[:, 5:], off)
                labels[torch.arange(len(class_id)), class_id] = on
                category = category + F.binary_cross_entropy_with_logits(found[:, 5:], labels)
            objectness = objectness + BALANCE[level] * F.binary_cross_entropy_with_logits(rows[..., 4], wanted)
        parts = BOX * box, OBJECTNESS * objectness, CLASS * self.classes / 80 * category
        return sum(parts) * len(heads[0]), [float(part.detach()) for part in parts]

    def _decode(self, level: int, t: Tensor, anchor: Tensor, y: Tensor, x: Tensor) -> Tensor:
        k, stride = self.scale_xy[level], self.strides[level]
        cell = torch.stack([x, y], 1)
        centre = (k * t[:, :2].sigmoid() - (k - 1) / 2 + cell) * stride
        return torch.cat([centre, self.anchors[level][anchor] * t[:, 2:4].clamp(max=6).exp()], 1)

    def _assign(self, level: int, targets: Tensor, grid: Sequence[int]) -> Tuple[Tensor, ...]:
        """(image, anchor, y, x, boxes in pixels, class) of every positive."""
        image, slot = torch.nonzero(targets[..., 3] > 0, as_tuple=True)
        objects = targets[image, slot]
        anchors = self.anchors[level]
        ratio = objects[:, None, 3:5] / anchors[None]
        image_of, anchor = torch.nonzero(torch.maximum(ratio, 1 / ratio).amax(2) < RATIO, as_tuple=True)
        objects, image = objects[image_of], image[image_of]
        place = objects[:, 1:3] / self.strides[level]
        cell = place.long()
        part = place - cell
        step = torch.where(part < REACH, -1, 1)
        zero = torch.zeros_like(step[:, 0])
        moves = ((zero, zero), (step[:, 0], zero), (zero, step[:, 1]))
        x = torch.cat([cell[:, 0] + dx for dx, _ in moves])
        y = torch.cat([cell[:, 1] + dy for _, dy in moves])
        image, anchor, objects = image.repeat(3), anchor.repeat(3), objects.repeat(3, 1)
        inside = (x >= 0) & (y >= 0) & (x < grid[1]) & (y < grid[0])
        keep = (image[inside], anchor[inside], y[inside], x[inside], objects[inside, 1:], objects[inside, 0].long())
        return keep


def head_rows(head: Tensor, classes: int) -> Tensor:
    """(B, A * (5 + C), h, w) to (B, A, h, w, 5 + C)."""
    batch, _, height, width = head.shape
    return head.view(batch, -1, 5 + classes, height, width).permute(0, 1, 3, 4, 2)


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU of (n, 4) `[cx, cy, w, h]` pairs (Zheng et al. 2020, arXiv 1911.08287)."""
    a_low, a_high, b_low, b_high = (
        a[:, :2] - a[:, 2:] / 2,
        a[:, :2] + a[:, 2:] / 2,
        b[:, :2] - b[:, 2:] / 2,
        b[:, :2] + b[:, 2:] / 2,
    )
    inter = (a_high.minimum(b_high) - a_low.maximum(b_low)).clamp(min=0).prod(1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - inter + 1e-7
    iou = inter / union
    diagonal = (a_high.maximum(b_high) - a_low.minimum(b_low)).pow(2).sum(1) + 1e-7
    apart = (a[:, :2] - b[:, :2]).pow(2).sum(1)
    shape = (4 / torch.pi**2) * (torch.atan(b[:, 2] / b[:, 3]) - torch.atan(a[:, 2] / (a[:, 3] + 1e-7))).pow(2)
    with torch.no_grad():
        weight = shape / (1 - iou + shape + 1e-7)
    return iou - apart / diagonal - weight * shape
