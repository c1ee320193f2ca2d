"""What training with rounding gives back of what rounding loses: activations in 8 bits and in 4, on VOC2007.

    python tools/train/rounding.py --data ../shared/data/voc2007 --out runs/rounding --steps 300

Evaluates the float model, its INT8 file, the same trained with qat.py, the model with activations in 4 bits as it is
(the steps with the least squared error), and that trained, on the split eval, which took no part in training. If it is
killed, the same command goes on. Writes tools/reference/rounding.{json,md}.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Dict, Optional, Sequence

import arguments
import judged
import qat
import torch
from judged import report

from edge_runtime.cli import calibrate
from edge_runtime.errors import ModelError
from edge_runtime.files import atomic

GENTLE = 1e-4  # learning rate where rounding changes little


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = judged.parser(__doc__, "rounding", steps=300).parse_args(argv)
    return arguments.guarded(lambda: compare(args))


def compare(args: argparse.Namespace) -> None:
    """Makes the files, evaluates them, and writes the table."""
    args.out.mkdir(parents=True, exist_ok=True)
    table = judged.table("YOLO Nano on VOC2007, activations rounded", args.data, files(args), {})
    points = judged.points(table)
    given = f"rate {GENTLE} for INT8, {args.lr} for 4 bits; the float model teaches"
    table.notes.append(f"{args.steps} batches of {args.batch}, {given}")
    for bits in ("INT8", "4 bits"):
        lost, kept = (points["float"] - points[name] for name in (bits, f"{bits}, trained"))
        table.notes.append(f"Of {lost:.1f} points of voc07_11pt lost by {bits}, training gives back {lost - kept:.1f}")
    print(table.markdown())
    report.save(args.reference, "Training with rounding", report.machine(("torch",)), [table])


def files(args: argparse.Namespace) -> Dict[str, Path]:
    """Makes what is compared, as far as it is not there yet."""
    int8, plain = args.out / "int8.onnx", args.out / "ptq4.onnx"
    if not int8.exists():
        images = ["--images", str(args.data), "--split", "calib", "--no-verdict"]
        if calibrate.main([str(args.model), *images, "-o", str(int8)]):
            raise ModelError(f"{args.model} could not be calibrated", hint="see above")
    four = aware(args, int8, 4)
    if not plain.exists() and not four.state["steps"]:
        atomic.replace_file(plain, four.model({}).SerializeToString())
    four.train()
    aware(args, int8, 8, lr=GENTLE).train()
    trained = {bits: args.out / f"qat{bits}" / "model.onnx" for bits in (8, 4)}
    return {"float": args.model, "INT8": int8, "INT8, trained": trained[8],
            "4 bits": plain, "4 bits, trained": trained[4]}  # fmt: skip


def aware(args: argparse.Namespace, int8: Path, bits: int, **more: object) -> qat.Aware:
    """The training with so many bits, or what is left of it."""
    torch.manual_seed(0)
    words = judged.flags(args, f"qat{bits}", init=args.model, int8=int8, bits=bits, **more)
    return qat.Aware(qat.parser().parse_args(words))


if __name__ == "__main__":
    raise SystemExit(main())
