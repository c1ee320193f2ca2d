"""Interprets a table of the zoo as a PyTorch module; its parameters carry the table's names."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edge_runtime.zoo.layers import IMAGE, Architecture, Layer
from edge_runtime.zoo.weights import BN_EPSILON

ACTIVATIONS = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky": lambda: nn.LeakyReLU(0.1),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "sigmoid": nn.Sigmoid,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
}
BN_NAMES = {"weight": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


class Conv(nn.Module):
    """A convolution of the table with its normalisation and activation."""

    def __init__(self, layer: Layer, channels_in: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels_in,
            layer.channels,
            layer.kernel,
            layer.stride,
            layer.kernel // 2,
            groups=layer.groups,
            bias=layer.bias,
        )
        self.bn = nn.BatchNorm2d(layer.channels, eps=BN_EPSILON, momentum=0.03) if layer.bn else nn.Identity()
        self.act = ACTIVATIONS[layer.act]()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class TorchNet(nn.Module):
    """(B, 3, H, W) float images in, the raw heads out, in the order of `architecture.outputs`.

    Args:
        further: names of other values that come out behind the heads.
    """

    def __init__(self, architecture: Architecture, further: Sequence[str] = ()) -> None:
        super().__init__()
        self.architecture, self.further = architecture, tuple(further)
        channels = {IMAGE: 3, **{layer.name: layer.channels for layer in architecture.layers}}
        self.convs = nn.ModuleDict(
            {
                conv_key(layer.name): Conv(layer, channels[layer.inputs[0]])
                for layer in architecture.layers
                if layer.op == "conv"
            }
        )

    def forward(self, images: Tensor) -> List[Tensor]:
        values: Dict[str, Tensor] = {IMAGE: images}
        for layer in self.architecture.layers:
            values[layer.name] = self._run(layer, [values[name] for name in layer.inputs])
        return [values[name] for name in (*self.architecture.outputs, *self.further)]

    def _run(self, layer: Layer, inputs: List[Tensor]) -> Tensor:
        if layer.op == "conv":
            return self.convs[conv_key(layer.name)](inputs[0])
        return ACTIVATIONS[layer.act]()(_plain(layer, inputs))

    def load_table(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Takes parameters by the table's names."""
        for name, target in self._named().items():
            target.data.copy_(torch.from_numpy(np.array(weights[name])))

    @torch.no_grad()
    def settle(self, images: Tensor) -> None:
        """Gives folded weights a normalisation again that changes nothing on `images` (B, 3, H, W).

        Identity normalisation is one only while its statistics are frozen; training replaces them by the batch's, so
        they must be the true ones, with scale and shift that undo them.
        """
        taken = []
        for module in self.convs.values():
            if isinstance(module.bn, nn.BatchNorm2d):
                taken.append(module.bn.register_forward_hook(_take_statistics))
        self.eval()(images)
        for hook in taken:
            hook.remove()
        self.train()

    def table_weights(self) -> Dict[str, NDArray[np.float32]]:
        """Parameters by the table's names, float32."""
        return {name: value.detach().float().cpu().numpy().copy() for name, value in self._named().items()}

    def _named(self) -> Dict[str, Tensor]:
        named: Dict[str, Tensor] = {}
        for layer in self.architecture.layers:
            if layer.op != "conv":
                continue
            module = self.convs[conv_key(layer.name)]
            named[f"{layer.name}.weight"] = module.conv.weight
            if layer.bias:
                named[f"{layer.name}.bias"] = module.conv.bias
            if layer.bn:
                named.update(
                    {f"{layer.name}.bn.{ours}": getattr(module.bn, theirs) for ours, theirs in BN_NAMES.items()}
                )
        return named


def _plain(layer: Layer, inputs: List[Tensor]) -> Tensor:
    """A layer without parameters, before its activation."""
    if layer.op == "add":
        return inputs[0] + inputs[1]
    if layer.op == "mul":
        return inputs[0] * inputs[1]
    if layer.op == "concat":
        return torch.cat(inputs, 1)
    if layer.op == "rows":
        return torch.cat([x.permute(0, 2, 3, 1).reshape(len(x), -1, layer.channels) for x in inputs], 1)
    if layer.op == "slice":
        return inputs[0][:, layer.start : layer.start + layer.channels]
    if layer.op == "upsample":
        return F.interpolate(inputs[0], scale_factor=2.0, mode="nearest")
    if layer.op == "global_pool":
        return inputs[0].mean((2, 3), keepdim=True)
    left, top, right, bottom = layer.pads
    padded = F.pad(inputs[0], (left, right, top, bottom), value=float("-inf")) if any(layer.pads) else inputs[0]
    return F.max_pool2d(padded, layer.kernel, layer.stride)


def conv_key(name: str) -> str:
    return name.replace(".", "/")  # torch forbids dots in names of modules


def _take_statistics(bn: nn.BatchNorm2d, inputs: Tuple[Tensor], output: Tensor) -> None:
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    var, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
    bn.running_mean.copy_(mean)
    bn.running_var.copy_(var)
    bn.weight.copy_(scale * (var + bn.eps).sqrt())
    bn.bias.copy_(output.mean((0, 2, 3)))
