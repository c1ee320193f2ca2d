"""Masks over single weights: which are set to zero, and how many are left."""

from __future__ import annotations

from typing import Dict, List, Tuple

import torch
from torch import Tensor, nn
from torch_net import TorchNet, conv_key

Masks = Dict[str, Tensor]
SCOPES = ("local", "global", "2:4")


def prunable(net: TorchNet) -> Dict[str, nn.Conv2d]:
    """The convolutions whose weights may go, by their key: all but the heads (as Salvi et al.)."""
    heads = net.architecture.outputs
    layers = [layer for layer in net.architecture.layers if layer.op == "conv" and layer.name not in heads]
    return {conv_key(layer.name): net.convs[conv_key(layer.name)].conv for layer in layers}


def full(net: TorchNet) -> Masks:
    """Masks under which every weight stays."""
    return {name: torch.ones_like(conv.weight) for name, conv in prunable(net).items()}


def smaller(net: TorchNet, masks: Masks, share: float, scope: str) -> Masks:
    """Masks under which a share of the weights that were left is gone, those of the smallest magnitude.

    Args:
        scope: local takes the share from each convolution, global from all together. 2:4 takes two of each four
            neighbours along the input channels, whatever the share, as NVIDIA's sparse kernels need it.
    """
    if scope == "2:4":
        return {name: two_of_four(conv.weight.detach()) for name, conv in prunable(net).items()}
    sizes = {name: conv.weight.detach().abs() for name, conv in prunable(net).items()}
    groups: List[Tuple[str, ...]] = [tuple(sizes)] if scope == "global" else [(name,) for name in sizes]
    found: Masks = {}
    for names in groups:
        left = torch.cat([sizes[name][masks[name] > 0] for name in names])
        gone = round(share * len(left))
        limit = left.kthvalue(gone).values if gone else left.new_tensor(-1.0)
        found.update({name: masks[name] * (sizes[name] > limit) for name in names})
    return found


def two_of_four(weight: Tensor) -> Tensor:
    """The mask of the two largest of each four inputs. Inputs behind the last four, and those of depthwise, stay.

    Args:
        weight: (filters, inputs, height, width).
    """
    mask, whole = torch.ones_like(weight), weight.shape[1] // 4 * 4
    if whole:
        fours = weight[:, :whole].abs().unflatten(1, (-1, 4))
        kept = torch.zeros_like(fours).scatter_(2, fours.topk(2, dim=2).indices, 1.0)
        mask[:, :whole] = kept.flatten(1, 2)
    return mask


@torch.no_grad()
def apply(net: TorchNet, masks: Masks) -> None:
    """Sets the weights that are gone to zero."""
    for name, conv in prunable(net).items():
        conv.weight.mul_(masks[name])


def counted(net: TorchNet) -> Tuple[int, int]:
    """Weights of these convolutions that are not zero, and all of them."""
    values = [conv.weight.detach() for conv in prunable(net).values()]
    return sum(int(value.count_nonzero()) for value in values), sum(value.numel() for value in values)
