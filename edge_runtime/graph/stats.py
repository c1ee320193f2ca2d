"""Counts a network: parameters, operations, bytes, per layer and in total, in each convention that papers use.

    python -m edge_runtime.graph.stats yolo_nano [--preset paper_budget] [--imgsz 416] [--labels voc]

* conv MACs: one multiply-add of a convolution at batch 1. "ops" (Darknet's BFLOPs) are twice that.
* THOP MACs: conv MACs, plus 1 per output element of a biased convolution, 2 per element of a batch normalisation, 1 per
  element of a LeakyReLU, and H * W + 1 per channel of a global pool; everything else counts nothing. A convolution on
  a pooled (1x1) plane is what others call a fully connected layer, and counts the same.
* prunable parameters (Salvi et al.): weights, and for YOLO Nano the BN gammas too, because their names do not say BN.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, fields
from typing import Iterable, List, Optional, Sequence, Tuple

from edge_runtime import labels, zoo
from edge_runtime.errors import EdgeError
from edge_runtime.zoo.layers import Architecture, Layer


@dataclass(frozen=True)
class Stats:
    """Counts of one layer, or of several added up.

    Attributes:
        weights, biases: of convolutions, as in the table: before folding.
        bn: trainable parameters of batch normalisation, gamma and beta.
        conv_macs, thop_macs: see the module's docstring.
    """

    name: str
    weights: int = 0
    biases: int = 0
    bn: int = 0
    conv_macs: int = 0
    thop_macs: int = 0

    @property
    def parameters(self) -> int:
        """All trainable parameters."""
        return self.weights + self.biases + self.bn

    @property
    def ops(self) -> int:
        """Two per multiply-add."""
        return 2 * self.conv_macs

    def bytes(self, bits: int) -> int:
        """Size of the folded network's parameters: weights at `bits` each, and float32 shifts."""
        return self.weights * bits // 8 + 4 * (self.biases + self.bn // 2)


def layers(architecture: Architecture) -> List[Stats]:
    """Counts per layer, in the table's order."""
    shapes, sizes = architecture.weight_shapes(), architecture.sizes()
    return [_count(layer, shapes.get(f"{layer.name}.weight", ()), sizes[layer.inputs[0]], sizes[layer.name])
            for layer in architecture.layers]  # fmt: skip


def total(counts: Iterable[Stats], name: str = "total") -> Stats:
    """Counts added up."""
    rows = list(counts)
    numbers = [field.name for field in fields(Stats) if field.name != "name"]
    return Stats(name, **{number: sum(getattr(row, number) for row in rows) for number in numbers})


def table(architecture: Architecture) -> str:
    """Text for people: a row per layer that has parameters or operations, and the total."""
    rows = [row for row in layers(architecture) if row.thop_macs]
    lines = [f"{'layer':24}{'weights':>12}{'bias':>8}{'bn':>8}{'conv MACs':>16}{'THOP MACs':>16}{'ops':>16}"]
    whole = total(rows)
    for row in [*rows, whole]:
        counts = f"{row.weights:12,}{row.biases:8,}{row.bn:8,}{row.conv_macs:16,}{row.thop_macs:16,}{row.ops:16,}"
        lines.append(f"{row.name:24}{counts}")
    size = ", ".join(
        f"{name} {whole.bytes(bits) / 1e6:.2f} MB" for name, bits in (("fp32", 32), ("fp16", 16), ("int8", 8))
    )
    lines.append(f"{whole.parameters:,} parameters; folded weights and shifts: {size}")
    return "\n".join(lines)


def _count(layer: Layer, shape: Tuple[int, ...], source: Tuple[int, ...], out: Tuple[int, ...]) -> Stats:
    elements = out[0] * out[1] * out[2]
    leaky = elements if layer.act == "leaky" else 0
    if layer.op == "global_pool":
        return Stats(layer.name, thop_macs=source[0] * (source[1] * source[2] + 1))
    if layer.op != "conv":
        return Stats(layer.name, thop_macs=leaky)
    weights = shape[0] * shape[1] * shape[2] * shape[3]
    macs = weights * out[1] * out[2]
    thop = macs + elements * layer.bias + 2 * elements * layer.bn + leaky
    return Stats(layer.name, weights, layer.channels * layer.bias, 2 * layer.channels * layer.bn, macs, thop)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Prints the table of an architecture of the zoo and returns the exit code."""
    parser = argparse.ArgumentParser("python -m edge_runtime.graph.stats")
    parser.add_argument("name", help=f"one of {', '.join(zoo.names())}")
    parser.add_argument("--preset")
    parser.add_argument("--imgsz", type=int, default=416)
    parser.add_argument("--labels", default="voc")
    args = parser.parse_args(argv)
    try:
        print(table(zoo.build(args.name, labels.load(args.labels), args.imgsz, args.preset)))
    except EdgeError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
