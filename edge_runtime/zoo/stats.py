"""Counts the parameters, operations and bytes of a network, per layer and in total, in the ways that papers count.

    python -m edge_runtime.zoo.stats yolo_nano [--preset paper_budget] [--imgsz 416] [--labels voc]
    python -m edge_runtime.zoo.stats model.onnx

Layers of a published network that no output reads are counted too. They are the last rows, and are in no file.

* conv MACs: one multiply-add of a convolution at batch 1. "ops" (Darknet's BFLOPs) are twice that.
* THOP MACs: conv MACs, plus 1 per output element of a biased convolution, 2 per element of a batch normalisation, 1 per
  element of a LeakyReLU, and H * W + 1 per channel of a global pool. Nothing else counts. A convolution on a pooled
  (1x1) plane is the same as a fully connected layer, and counts the same.
* prunable parameters (Salvi et al.): weights. For YOLO Nano also the BN gammas, because their names do not say BN.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import List, Optional, Sequence, Tuple

from edge_runtime import zoo
from edge_runtime.errors import EdgeError, told
from edge_runtime.graph import onnx_stats
from edge_runtime.graph.counts import Stats, table
from edge_runtime.model import labels, onnx_file
from edge_runtime.zoo.layers import Architecture, Layer


def architecture_layers(architecture: Architecture) -> List[Stats]:
    """Returns the counts of each layer, in the table's order; at the end those that no output reads."""
    shapes, sizes = architecture.weight_shapes(), architecture.sizes()
    return [_count(layer, shapes.get(f"{layer.name}.weight", ()), sizes[layer.inputs[0]], sizes[layer.name])
            for layer in (*architecture.layers, *architecture.unread)]  # fmt: skip


def _count(layer: Layer, shape: Tuple[int, ...], source: Tuple[int, ...], out: Tuple[int, ...]) -> Stats:
    elements = math.prod(out)
    leaky = elements if layer.act == "leaky" else 0
    if layer.op == "global_pool":
        return Stats(layer.name, thop_macs=source[0] * (source[1] * source[2] + 1))
    if layer.op != "conv":
        return Stats(layer.name, thop_macs=leaky)
    weights = math.prod(shape)
    macs = weights * out[1] * out[2]
    thop = macs + elements * layer.bias + 2 * elements * layer.bn + leaky
    return Stats(layer.name, weights, layer.channels * layer.bias, 2 * layer.channels * layer.bn, macs, thop)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Prints the table of an architecture of the zoo, or of an ONNX file, and returns the exit code."""
    parser = argparse.ArgumentParser("python -m edge_runtime.zoo.stats")
    parser.add_argument("name", help=f"FILE.onnx, or one of {', '.join(zoo.names())}")
    parser.add_argument("--preset")
    parser.add_argument("--imgsz", type=int, help="side of the input in pixels (default: usual, or what the file says)")
    parser.add_argument("--labels", default="voc", help="class names (default voc; an ONNX file has its own)")
    args = parser.parse_args(argv)
    try:
        print(table(_counts(args)))
    except EdgeError as error:
        print(told(error), file=sys.stderr)
        return 1
    return 0


def _counts(args: argparse.Namespace) -> List[Stats]:
    if args.name.endswith(".onnx"):
        return onnx_stats.onnx_layers(onnx_file.load_onnx(args.name), args.imgsz)
    return architecture_layers(zoo.build(args.name, labels.load_labels(args.labels), args.imgsz, args.preset))


if __name__ == "__main__":
    sys.exit(main())
