"""A network that computes as its INT8 file does, and can be trained: what is rounded there is rounded here.

Rounding has no slope, so its gradient is taken as that of no rounding (straight-through, Bengio et al. 2013, arXiv
1308.3432). The step of an activation can be learnt (LSQ, Esser et al. 2020, arXiv 1902.08153); its zero point stays.
"""

from __future__ import annotations

import math
from typing import Collection, Dict, List, Mapping, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch_net import TorchNet, conv_key

from edge_runtime.errors import ModelError
from edge_runtime.zoo.layers import IMAGE, Architecture, Layer

Range = Tuple[float, float]
MOVING = ("upsample", "maxpool", "slice")  # input and output share one step, as in the file

SHRUNK = [1 - 0.05 * k for k in range(16)]  # sizes of a range that are tried


def nearest(x: Tensor) -> Tensor:
    """Rounds half to even, as QuantizeLinear; the gradient passes as if nothing was rounded."""
    return x + (x.round() - x).detach()


class Activation(nn.Module):
    """Rounds an activation to 2 ** bits steps.

    Args:
        limits: lowest and highest value, low <= 0 <= high.
        learnt: whether the step is trained.
    """

    def __init__(self, limits: Range, bits: int, learnt: bool) -> None:
        super().__init__()
        low, high = limits
        self.levels = 2**bits - 1
        step = (high - low) / self.levels
        self.zero = int(min(max(round(-low / step), 0), self.levels))
        self.register_buffer("first", torch.tensor(step, dtype=torch.float32))
        self.growth = nn.Parameter(torch.zeros(()), requires_grad=learnt)

    def forward(self, x: Tensor) -> Tensor:
        even = (x.numel() * self.levels) ** -0.5  # a step collects the gradients of all values
        growth = self.growth.detach() + even * (self.growth - self.growth.detach())
        step = self.first * growth.exp()
        return nearest(x / step).clamp(-self.zero, self.levels - self.zero) * step

    @property
    def step(self) -> float:
        """The present step."""
        return float(self.first * self.growth.detach().exp())

    def limits(self, bits: int = 0) -> Range:
        """The lowest and highest value; with `bits`, if it had so many at the same step and zero point."""
        levels = 2**bits - 1 if bits else self.levels
        return -self.zero * self.step, (levels - self.zero) * self.step


@torch.no_grad()
def fit(net: RoundedNet, images: Tensor) -> None:
    """Shrinks each step to the one with the least squared error. Ranges that suit 8 bits are too wide for fewer.

    Args:
        images: (B, 3, H, W) in 0..1.
    """
    hooks = [rounding.register_forward_pre_hook(_fit) for rounding in net.rounding.values()]
    net(images)
    for hook in hooks:
        hook.remove()


def _fit(rounding: Activation, inputs: Tuple[Tensor]) -> None:
    def error(growth: float) -> float:
        rounding.growth.fill_(growth)
        return float((rounding.forward(*inputs) - inputs[0]).square().mean())

    rounding.growth.fill_(min(map(math.log, SHRUNK), key=error))


class Weight(nn.Module):
    """Rounds a weight (out, in, kh, kw) to 127 steps either way, one step per filter, as `graph.quantize` does."""

    def forward(self, weight: Tensor) -> Tensor:
        step = (weight.detach().abs().amax((1, 2, 3), keepdim=True) / 127).clamp(min=1e-12)
        return nearest(weight / step).clamp(-127, 127) * step


class RoundedNet(TorchNet):
    """The network with the roundings of an INT8 file. Round its weights with `round_weights` once they are loaded.

    Args:
        architecture: without batch normalisation, which a file has in its weights.
        ranges: of each activation that the file rounds.
        keep: layers that the file leaves in float.
        bits: of activations; the picture has 8.
        learnt: whether their steps are trained.

    Raises:
        ModelError: the file rounds an activation that the table does not have.
    """

    def __init__(
        self, architecture: Architecture, ranges: Mapping[str, Range], keep: Collection[str], bits: int, learnt: bool
    ) -> None:
        super().__init__(architecture)
        self._keep = frozenset(keep)
        known = {IMAGE, *(layer.name for layer in architecture.layers)}
        known.update(f"{layer.name}.linear" for layer in architecture.layers if layer.op == "conv")
        unknown = sorted(set(ranges) - known)
        if unknown:
            fact = f"the INT8 file rounds {unknown[0]}, which the table does not have"
            raise ModelError(fact, hint="calibrate the file of --init with edge-calibrate")
        self._place = {name: conv_key(name) for name in ranges}
        for layer in architecture.layers:
            if layer.op in MOVING and layer.name in ranges and layer.inputs[0] in ranges:
                self._place[layer.name] = self._place[layer.inputs[0]]
        first = {key: name for name, key in reversed(list(self._place.items()))}
        self.rounding = nn.ModuleDict(
            {key: Activation(ranges[name], 8 if name == IMAGE else bits, learnt) for key, name in first.items()}
        )

    def round_weights(self) -> None:
        """Lets every convolution that is not kept in float compute with rounded weights."""
        for layer in self.architecture.layers:
            if layer.op == "conv" and not self._kept(layer):
                parametrize.register_parametrization(self.convs[conv_key(layer.name)].conv, "weight", Weight())

    def forward(self, images: Tensor) -> List[Tensor]:
        exact: Dict[str, Tensor] = {IMAGE: images}
        rounded = {IMAGE: self._rounded(IMAGE, images)}
        for layer in self.architecture.layers:
            source = exact if self._kept(layer) else rounded
            value = self._run(layer, [source[name] for name in layer.inputs])
            exact[layer.name], rounded[layer.name] = value, self._rounded(layer.name, value)
        return [exact[name] for name in (*self.architecture.outputs, *self.further)]

    def _run(self, layer: Layer, inputs: List[Tensor]) -> Tensor:
        inner = f"{layer.name}.linear"
        if inner not in self._place:
            return super()._run(layer, inputs)
        module = self.convs[conv_key(layer.name)]
        return module.act(self._rounded(inner, module.bn(module.conv(inputs[0]))))

    def _rounded(self, name: str, value: Tensor) -> Tensor:
        return self.rounding[self._place[name]](value) if name in self._place else value

    def _kept(self, layer: Layer) -> bool:
        return (layer.name if layer.act == "linear" else f"{layer.name}.linear") in self._keep  # as export names it

    def limits(self, bits: int = 0) -> Dict[str, Range]:
        """The range of each activation that gives its present step; with `bits`, if it had so many."""
        return {name: self.rounding[key].limits(bits) for name, key in self._place.items()}
