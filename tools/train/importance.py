"""What a unit of channels is worth, by one of three measures.

* gamma: the scale of the normalisation behind its filters (Liu et al. 2017, arXiv 1708.06519).
* l2: the norm of its filters, beside the mean of their convolution (Li et al. 2017, arXiv 1608.08710).
* taylor: how much the loss changes if it gives a constant, to first order (Molchanov et al. 2019, arXiv 1906.10771),
  for each multiply-add that is saved.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterator, Tuple

import numpy as np
import torch
from channels import Units
from loss import Loss
from numpy.typing import NDArray
from torch import Tensor, nn
from torch_net import TorchNet, conv_key

Scores = NDArray[np.float64]
Drawn = Callable[[], Tuple[Tensor, Tensor]]  # images (B, 3, H, W) in 0..1, boxes (B, T, 5)
MEASURES = ("taylor", "gamma", "l2")


def scores(by: str, net: TorchNet, units: Units, loss: Loss, draw: Drawn, batches: int) -> Scores:
    """(units,) what each is worth; not a number where no filter of it is normalised.

    Args:
        by: one of MEASURES.
        net: with true statistics, see `TorchNet.settle`.
        draw, batches: gives a batch; how many are drawn. Only for taylor.
    """
    if by == "gamma":
        return _means(units, {name: bn.weight.detach().abs() for name, _, bn in _normalised(net)})
    if by == "l2":
        norms = {name: conv.weight.detach().flatten(1).norm(dim=1) for name, conv, _ in _normalised(net)}
        return _means(units, {name: norm / norm.mean() for name, norm in norms.items()})
    total = np.zeros(units.count)
    net.eval()
    for _ in range(batches):
        images, boxes = draw()
        net.zero_grad(set_to_none=True)
        loss(net(images), boxes)[0].backward()
        changes = {name: (bn.weight * bn.weight.grad).detach() for name, _, bn in _normalised(net)}
        total += np.square(_sums(units, changes)) / batches
    return np.where(np.isfinite(_means(units, changes)), total, np.nan) / np.maximum(units.macs(), 1)


def _normalised(net: TorchNet) -> Iterator[Tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
    for layer in net.architecture.layers:
        if layer.op == "conv" and layer.bn:
            module = net.convs[conv_key(layer.name)]
            yield layer.name, module.conv, module.bn


def _sums(units: Units, values: Dict[str, Tensor]) -> Scores:
    total = np.zeros(units.count)
    for name, value in values.items():
        np.add.at(total, units.of[name], value.double().cpu().numpy())
    return total


def _means(units: Units, values: Dict[str, Tensor]) -> Scores:
    count = _sums(units, {name: torch.ones_like(value) for name, value in values.items()})
    with np.errstate(invalid="ignore"):
        return _sums(units, values) / np.where(count > 0, count, np.nan)


@torch.no_grad()
def recalibrate(net: TorchNet, draw: Drawn, batches: int) -> None:
    """Measures the statistics of the normalisation again, as the mean over batches.

    The scales and shifts stay. So each channel keeps its mean, although what it reads has lost channels.
    """
    net.eval()  # all but the statistics computes as in the file
    for _, _, bn in _normalised(net):
        bn.reset_running_stats()
        bn.momentum = None  # the mean over all batches
        bn.train()
    for _ in range(batches):
        net(draw()[0])
    net.eval()
