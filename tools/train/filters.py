r"""Removes whole filters of a trained network, with all that belongs to them, and writes the narrower network.

    python tools/train/filters.py engines/yolo_nano_voc.onnx --data voc/train --macs 0.7 -o narrow.onnx
    python tools/train/train.py --data voc/train --out runs/narrow --hours 1 --init narrow.onnx \
        --before engines/yolo_nano_voc.onnx

--macs is the share of the multiply-adds that is left. The second command trains what is left; the whole network may
teach it. The file has no dead filters: they are gone, so every runtime is faster.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Dict, Optional, Sequence

import arguments
import numpy as np
import onnx
import torch
from channels import Kept, Units, architecture_of, choose, conv_macs, without
from data import MOSAIC, Batches, prepare, split
from importance import MEASURES, Drawn, recalibrate, scores
from loss import Loss
from student import SETTLING
from torch_net import TorchNet

from edge_runtime.errors import UsageError
from edge_runtime.files import atomic
from edge_runtime.model import onnx_file
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import Architecture

KEPT = ("training", "license")  # entries of the metadata


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parser().parse_args(argv)
    return arguments.guarded(lambda: atomic.replace_file(args.output, narrow(args).SerializeToString()))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="that train.py or ship.py wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--data", type=Path, required=True, help="folder with instances.json and images/")
    parser.add_argument("--macs", type=float, required=True, help="share of the multiply-adds that is left, 0 to 1")
    parser.add_argument("--by", choices=MEASURES, default="taylor", help="what a filter is worth")
    parser.add_argument("--multiple", type=int, default=8, help="widths that change become a multiple of it, default 8")
    parser.add_argument("--images", type=int, default=256, help="that are looked at, default 256")
    parser.add_argument("--limit", type=int, help="look at the first N images only")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--arch", default="yolo_nano")
    parser.add_argument("--cache", type=Path, help="folder of decoded pictures, for later runs; default: a new one")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def narrow(args: argparse.Namespace) -> onnx.ModelProto:
    """The file without the filters that are worth least, its statistics measured again.

    Raises:
        UsageError: the share is not possible.
        ModelError: the file is not of the architecture.
    """
    if not 0 < args.macs < 1:
        raise UsageError(f"--macs is {args.macs}", hint="expected a share of the multiply-adds, such as 0.7")
    model = onnx_file.load_onnx(args.file)
    architecture = architecture_of(model, args.arch)
    net = TorchNet(architecture)
    net.load_table(weights.from_onnx(model, architecture))
    with tempfile.TemporaryDirectory() as folder:
        draw = _drawing(args, architecture, args.cache or Path(folder))
        net.settle(torch.cat([draw()[0] for _ in range(-(-SETTLING // args.batch))]).cpu())
        net.to(args.device)
        units, count = Units(architecture), -(-args.images // args.batch)
        worth = scores(args.by, net, units, Loss(architecture.spec, torch.device(args.device)), draw, count)
        kept = choose(units, worth, args.macs, args.multiple)
        after, values = without(units, kept, net.table_weights())
        smaller = TorchNet(after)
        smaller.load_table(values)
        recalibrate(smaller.to(args.device), draw, count)
    facts = _facts(args, architecture, after)
    _tell(units, kept, facts)
    entries = {entry.key: entry.value for entry in model.metadata_props if entry.key in KEPT}
    return to_onnx(after, smaller.table_weights(), metadata={**entries, "pruned": json.dumps(facts)})


def _drawing(args: argparse.Namespace, architecture: Architecture, cache: Path) -> Drawn:
    side = architecture.spec.input_wh[0]
    images, boxes, sizes, _ = prepare(args.data, side, cache)
    batches = Batches(images, boxes, sizes, split(len(images), args.limit)[1], torch.device(args.device), args.seed)
    batches.mosaic = MOSAIC  # as the training that follows
    return lambda: batches.draw(args.batch, side)


def _facts(args: argparse.Namespace, before: Architecture, after: Architecture) -> Dict[str, object]:
    macs = {"macs_before": conv_macs(before), "macs": conv_macs(after)}
    weights = {
        f"weights{ending}": int(sum(np.prod(shape) for shape in table.weight_shapes().values()))
        for ending, table in (("_before", before), ("", after))
    }
    return {"from": Path(args.file).name, "by": args.by, "multiple": args.multiple, **macs, **weights}


def _tell(units: Units, kept: Kept, facts: Dict[str, object]) -> None:
    """Prints the families that became narrower, and the sums."""
    for names, family in units.families.items():
        left = int(kept[family].sum())
        if left < len(family):
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            print(f"{names[0]}{more}: {len(family)} -> {left} channels")
    print(json.dumps(facts))


if __name__ == "__main__":
    raise SystemExit(main())
