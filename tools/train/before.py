"""The network before compression as a teacher: what its heads say of a picture is a target for the compressed one.

Objects where it sees objects, as Chen et al. 2017 (NIPS) distil a detector: objectness is learnt everywhere, boxes and
classes only as far as the larger network is sure of an object.
"""

from __future__ import annotations

import argparse
from typing import List, Sequence

import torch
from channels import architecture_of
from loss import BOX, CLASS, OBJECTNESS, head_rows
from torch import Tensor
from torch.nn import functional as F
from torch_net import TorchNet

from edge_runtime.model import onnx_file
from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo import weights


class Before:
    """A file that `to_onnx` wrote, of the architecture that is trained, with as many filters or more.

    Raises:
        ModelError: it is of another architecture.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        model = onnx_file.load_onnx(args.before)
        architecture = architecture_of(model, args.arch, args.imgsz)
        self._net, self._device, self._float32 = TorchNet(architecture), torch.device(args.device), args.float32
        self._net.load_table(weights.from_onnx(model, architecture))
        self._net.eval().to(self._device, memory_format=torch.channels_last)

    @torch.no_grad()
    def heads(self, images: Tensor) -> List[Tensor]:
        """The raw heads, float32, for (B, 3, H, W) images in 0..1."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=not self._float32):
            values = self._net(images.contiguous(memory_format=torch.channels_last))
        return [value.float() for value in values]


def apart(heads: Sequence[Tensor], wanted: Sequence[Tensor], spec: ModelSpec) -> Tensor:
    """How far heads are from those of another network, in the measure of the loss on labels; a scalar per image.

    Args:
        heads, wanted: (B, A * (5 + C), h, w) raw, one per level.
    """
    classes, total = len(spec.labels), heads[0].new_zeros(())
    for head, other in zip(heads, wanted):
        mine, theirs = head_rows(head.float(), classes), head_rows(other, classes)
        sure = theirs[..., 4].sigmoid()
        weight = sure / (sure.sum() + 1e-6)
        centres = (mine[..., :2].sigmoid() - theirs[..., :2].sigmoid()).square().sum(-1)
        sides = (mine[..., 2:4] - theirs[..., 2:4]).square().sum(-1)
        kinds = F.binary_cross_entropy_with_logits(mine[..., 5:], theirs[..., 5:].sigmoid(), reduction="none").mean(-1)
        total = total + BOX * (weight * (centres + sides)).sum() + CLASS * classes / 80 * (weight * kinds).sum()
        total = total + OBJECTNESS * F.binary_cross_entropy_with_logits(mine[..., 4], sure)
    return total
