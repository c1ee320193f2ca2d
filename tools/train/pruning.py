"""What each pruning leaves of YOLO Nano on VOC2007: whole filters, magnitude, 2:4, continuous sparsification.

    python tools/train/pruning.py --data ../shared/data/voc2007 --out runs/pruning --steps 240

Each method starts from --model, which teaches it too, and trains for --steps batches in all, but four times as many
where whole filters went. --macs is the share of the multiply-adds that filters.py leaves. The files are evaluated on
the split eval, which took no part in training. If it is killed, the same command goes on. Writes
tools/reference/pruning.{json,md}.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import arguments
import continuous
import filters
import judged
import magnitude
import numpy as np
import onnx
import train
from channels import architecture_of, conv_macs
from judged import report
from onnx import numpy_helper

from edge_runtime.errors import ModelError
from edge_runtime.files import atomic
from edge_runtime.model import onnx_file

ROUNDS = 2
FILTERS, RATE = 4, 1e-3  # what has lost whole filters: times the steps, learning rate
GATES = {"gate": 0.01, "last": 1000.0, "penalty": 3e-5}  # few batches: they begin open


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parser().parse_args(argv)
    return arguments.guarded(lambda: compare(args))


def parser() -> argparse.ArgumentParser:
    parser = judged.parser(__doc__, "pruning", steps=240)
    parser.add_argument("--macs", type=float, default=0.7, help="share that is left without whole filters, default 0.7")
    parser.add_argument("--share", type=float, default=0.2, help="of the weights left that goes each time, default 0.2")
    return parser


def compare(args: argparse.Namespace) -> None:
    """Makes the files, evaluates them, and writes the table."""
    args.out.mkdir(parents=True, exist_ok=True)
    paths = files(args)
    table = judged.table("Prunings of YOLO Nano on VOC2007", args.data, paths, left(paths))
    given = f"for filters {FILTERS * args.steps}, rate {RATE}; the whole model teaches"
    table.notes.append(f"{args.steps} batches of {args.batch} for each method, rate {args.lr}; {given}")
    table.notes.append("Weights and multiply-adds are those of the convolutions. Zeros among the weights save no time")
    print(table.markdown())
    report.save(args.reference, "Prunings", report.machine(("torch",)), [table])


def files(args: argparse.Namespace) -> Dict[str, Path]:
    """Makes what is compared, as far as it is not there yet."""
    narrow = args.out / "narrow.onnx"
    if not narrow.exists():
        words = [args.model, "-o", narrow, "--macs", args.macs, *judged.pictures(args)]
        made = filters.narrow(filters.parser().parse_args([*map(str, words)]))
        atomic.replace_file(narrow, made.SerializeToString())
    trained(args, train, "filters", init=narrow, steps=FILTERS * args.steps, lr=RATE)
    each = args.steps // (ROUNDS + 1)  # one training more than prunings
    trained(args, magnitude, "magnitude", init=args.model, steps=each, rounds=ROUNDS, share=args.share)
    trained(args, magnitude, "2-of-4", init=args.model, steps=args.steps // 2, scope="2:4")
    trained(args, continuous, "continuous", init=args.model, steps=args.steps // ROUNDS, rounds=ROUNDS, **GATES)
    methods = ("filters", "magnitude", "2-of-4", "continuous")
    return {"whole": args.model, "filters, not trained": narrow, **{n: args.out / n / "model.onnx" for n in methods}}


def trained(args: argparse.Namespace, method: Any, out: str, **more: object) -> None:
    """Runs a training to its end, or goes on with it. So few batches cannot get used to the end of mosaics."""
    if method.main([*judged.flags(args, out, **more), "--plain-end", "0"]):
        raise ModelError(f"{out}: the training failed", hint="see above")


def left(paths: Dict[str, Path]) -> Dict[str, Dict[str, str]]:
    """Weights that are not zero, and multiply-adds, of the convolutions of each file: shares of the first file's."""
    models = {name: onnx_file.load_onnx(str(path)) for name, path in paths.items()}
    counts = {
        "weights left": {name: nonzero(model) for name, model in models.items()},
        "MACs left": {name: conv_macs(architecture_of(model, "yolo_nano")) for name, model in models.items()},
    }
    return {column: {name: f"{count / found['whole']:.3f}" for name, count in found.items()}
            for column, found in counts.items()}  # fmt: skip


def nonzero(model: onnx.ModelProto) -> int:
    """Weights of convolutions that are not zero."""
    read = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    tensors = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name in read]
    return sum(int(np.count_nonzero(values)) for values in tensors)


if __name__ == "__main__":
    raise SystemExit(main())
