"""Continuous sparsification (Savarese et al. 2020, arXiv 1912.04427): the training itself learns which weights go.

    python tools/train/continuous.py --data voc/train --out runs/cs --steps 4000 --rewind 400 --rounds 3

Each weight w has a gate s, and the network computes with w * sigmoid(b * s) / sigmoid(s0). Over a round, b rises from
--first to --last, so that the gates close or open. --penalty is what each open gate costs. In the next round the gates
that closed stay closed, and the weights go back to what they were after --rewind batches of the first round.

The file has the weights that the runtime needs: those with an open gate (s > 0) times 1 / sigmoid(s0), the others zero.
With s0 = -0.1 this factor is 2.1. The metadata counts the zeros. They make no runtime faster: filters.py removes whole
filters.
"""

from __future__ import annotations

import argparse
from typing import Dict, Optional, Sequence

import arguments
import masks
import rounds
import student
import torch
from masks import Masks
from torch import Tensor, nn
from torch.nn.utils import parametrize


def main(argv: Optional[Sequence[str]] = None) -> int:
    return arguments.run(Continuous, parser().parse_args(argv))


def parser() -> argparse.ArgumentParser:
    parser = rounds.parser(__doc__)
    parser.set_defaults(rounds=3)
    parser.add_argument("--gate", type=float, default=-0.1, metavar="S0", help="first value of each gate, default -0.1")
    parser.add_argument("--penalty", type=float, default=1e-5, help="of each open gate, default 1e-5")
    parser.add_argument("--first", type=float, default=0.1, help="sharpness of the gates at the start, default 0.1")
    parser.add_argument("--last", type=float, default=200.0, help="and at the end of a round, default 200")
    return parser


class Gate(nn.Module):
    """Multiplies a weight by its gate: soft in training, open or closed in evaluation.

    Args:
        weight: of the convolution.
        first: first value of the gates.
    """

    def __init__(self, weight: Tensor, first: float) -> None:
        super().__init__()
        self.soft = nn.Parameter(torch.full_like(weight, first))
        self.register_buffer("sharpness", torch.ones((), device=weight.device))
        self.register_buffer("scale", 1 / torch.tensor(first, device=weight.device).sigmoid())

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.scale * (self.open() if self.training else self.soft > 0)

    def open(self) -> Tensor:
        """How far each gate is open, 0 to 1."""
        return (self.sharpness * self.soft).sigmoid()


class Continuous(rounds.Rounds):
    """Gates that close from round to round. The last training is the last round: nothing is left to prune then."""

    method = "continuous"

    def make(self) -> student.Made:
        made = super().make()
        for conv in masks.prunable(made.net).values():
            parametrize.register_parametrization(conv, "weight", Gate(conv.weight.detach(), self.args.gate))
        self._sharpen(made.net, 0.0)
        return made

    @property
    def last(self) -> int:
        return int(self.args.rounds) - 1

    def _gates(self, net: nn.Module) -> Dict[str, Gate]:
        return {name: conv.parametrizations.weight[0] for name, conv in masks.prunable(net).items()}

    def _sharpen(self, net: nn.Module, progress: float) -> None:
        for gate in self._gates(net).values():
            gate.sharpness.fill_(self.args.first * (self.args.last / self.args.first) ** progress)

    def penalty(self) -> Tensor:
        return self.args.penalty * torch.stack([gate.open().sum() for gate in self._gates(self.net).values()]).sum()

    def stepped(self) -> None:
        self._sharpen(self.net, (self.state["steps"] + 1) / self.args.steps)
        super().stepped()

    def prune(self) -> Masks:
        gates = self._gates(self.net)
        return {name: (self.args.last * gate.soft).clamp(max=self.args.gate).detach() for name, gate in gates.items()}

    def begin(self, found: Masks) -> None:
        for name, gate in self._gates(self.net).items():
            gate.soft.data.copy_(found[name])
        self._sharpen(self.net, self.args.rewind / self.args.steps)


if __name__ == "__main__":
    raise SystemExit(main())
