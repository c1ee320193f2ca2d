"""Quantisation-aware training: a network learns to be right although it is rounded to INT8.

    edge-calibrate nano.onnx --images voc/ --split calib -o nano_int8.onnx
    python tools/train/qat.py --data voc/train --out runs/qat --init nano.onnx --int8 nano_int8.onnx --hours 1 --lr 1e-4

Roundings and ranges are those of the INT8 file. The steps of the activations are trained with the weights; --scales
fixed leaves them. OUT/model.onnx is an INT8 file in the form of edge-calibrate, with its own scales: the CPU runs it,
edge-build builds a plan of it, and edge-calibrate says what it costs. OUT/float.onnx has the same weights, and its
activations are not rounded. --before nano.onnx lets the float network teach.

No runtime computes in 4 bits. --bits 4 rounds activations to 16 steps. The file emulates that in 8 bits on the CPU.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Dict, Mapping, Optional, Sequence

import arguments
import numpy as np
import onnx
import student
from before import Before
from fake import Range, RoundedNet, fit
from onnx import helper
from run import Run

from edge_runtime.calibrate import calibration
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import atomic
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import NONE
from edge_runtime.graph.stored_ranges import stored_ranges
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import RANGES_KEY
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import Architecture

FITTED = 16  # images that tell the ranges of activations with fewer bits


def main(argv: Optional[Sequence[str]] = None) -> int:
    return arguments.run(Aware, parser().parse_args(argv))


def parser() -> argparse.ArgumentParser:
    parser = arguments.parser(__doc__)
    parser.add_argument("--int8", required=True, metavar="FILE.onnx", help="what edge-calibrate made of --init")
    parser.add_argument("--scales", choices=("learned", "fixed"), default="learned", help="of the activations")
    parser.add_argument("--bits", type=int, choices=(8, 4), default=8, help="of the activations, default 8")
    return parser


class Aware(Run):
    """A network that is rounded while it is trained, in float32: bfloat16 has no more steps than an activation."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises UsageError or ModelError if the two files do not belong together."""
        args.float32 = True
        file = onnx_file.load_onnx(args.int8)
        self.calibrated, self.stored = _table(args, file), stored_ranges(Network(file))
        super().__init__(args)

    def table(self, imgsz: int) -> Architecture:
        return folded(student.table(self.args, imgsz))

    def make(self) -> student.Made:
        learnt, keep = self.args.scales == "learned", self.calibrated.origin.keep
        net = RoundedNet(self.architecture, self.stored, keep, self.args.bits, learnt)
        net.load_table(folded_weights(student.table(self.args, self.args.imgsz), self.args.init))
        net.round_weights()
        if self.args.bits < 8:
            fit(net, self.batches.draw(FITTED, self.args.imgsz)[0].cpu())
        return student.Made(net.to(self.args.device), before=Before(self.args) if self.args.before else None)

    def model(self, metadata: Dict[str, str]) -> onnx.ModelProto:
        path = self.args.out / "float.onnx"
        architecture = self.table(self.args.export_imgsz or self.args.imgsz)
        whole = to_onnx(architecture, self.ema.table_weights(), metadata=metadata)
        atomic.replace_file(path, whole.SerializeToString())
        origin = replace(self.calibrated.origin, model=onnx_file.digest(str(path)), method="qat")
        ranges = {**self.calibrated.ranges, **self.ema.limits(8)}
        table = replace(self.calibrated, origin=origin, ranges=ranges)
        network = calibration.network_of(str(path), architecture.spec)
        model = calibration.quantised(network, architecture.spec, table, NONE)
        return model if self.args.bits == 8 else clipped(model, self.ema.limits())


def _table(args: argparse.Namespace, file: onnx.ModelProto) -> RangeTable:
    """The range table of the INT8 file."""
    text = next((entry.value for entry in file.metadata_props if entry.key == RANGES_KEY), None)
    if text is None:
        raise ModelError(f"{args.int8} has no range table", hint="give what edge-calibrate made of the file of --init")
    table = RangeTable.from_json(text)
    if not args.init or table.origin.model != onnx_file.digest(args.init):
        fact = f"{args.int8} was calibrated from another network than --init {args.init}"
        raise UsageError(fact, hint="give the float file that edge-calibrate was given")
    if args.teacher:
        raise UsageError("--teacher is not for rounded networks", hint="let the float one teach: --before FILE.onnx")
    return table


def folded(architecture: Architecture) -> Architecture:
    """The same network with a bias in place of each batch normalisation."""
    layers = tuple(replace(layer, bn=False, bias=layer.bias or layer.bn) for layer in architecture.layers)
    return replace(architecture, layers=layers)


def folded_weights(architecture: Architecture, path: str) -> weights.Weights:
    """The weights of an exported file, for the folded network."""
    values, found = weights.from_onnx(onnx_file.load_onnx(path), architecture), {}
    for layer in architecture.layers:
        if layer.op == "conv":
            parts = zip(("weight", "bias"), weights.fold(layer, values))
            found.update({f"{layer.name}.{name}": value for name, value in parts})
    return found


def clipped(model: onnx.ModelProto, limits: Mapping[str, Range]) -> onnx.ModelProto:
    """Lets activations end where fewer bits would end, in place: a Clip before each QuantizeLinear."""
    network, nodes = Network(model), []
    for node in network.nodes:
        name = node.input[0]
        if node.op_type == "QuantizeLinear" and name in limits:
            low, high = (np.array(end, np.float32) for end in limits[name])
            result = f"{node.output[0]}.clipped"
            ends = [network.set_constant(f"{result}.low", low), network.set_constant(f"{result}.high", high)]
            nodes.append(helper.make_node("Clip", [name, *ends], [result]))
            node.input[0] = result
        nodes.append(node)
    network.replace_nodes(nodes)
    return model


if __name__ == "__main__":
    raise SystemExit(main())
