"""What training with rounding gives back where rounding alone loses much: activations in 4 bits, on VOC2007.

    python tools/train/qat_4bit.py --data ../shared/data/voc2007 --out runs/qat4 --steps 1200

Evaluates the float model, its INT8 file, the model with activations in 4 bits as it is (the steps with the least
squared error), and the same trained with qat.py, on the split eval, which took no part in training. If it is killed,
the same command goes on. Writes tools/reference/qat_4bit.{json,md}.
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


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = judged.parser(__doc__, "qat_4bit", steps=1200).parse_args(argv)
    return arguments.guarded(lambda: compare(args))


def compare(args: argparse.Namespace) -> None:
    """Makes the files, evaluates them, and writes the table."""
    args.out.mkdir(parents=True, exist_ok=True)
    table = judged.table("Activations in 4 bits, YOLO Nano on VOC2007", args.data, files(args), {})
    points = judged.points(table)
    lost, kept = (points["float"] - points[name] for name in ("4 bits", "4 bits, trained"))
    table.notes.append(f"{args.steps} batches of {args.batch}, rate {args.lr}; the float model teaches")
    table.notes.append(f"Of {lost:.1f} points of voc07_11pt that 4 bits lose, training gives back {lost - kept:.1f}")
    print(table.markdown())
    report.save(args.reference, "Training with rounding", report.machine(("torch",)), [table])


def files(args: argparse.Namespace) -> Dict[str, Path]:
    """Makes what is compared, as far as it is not there yet."""
    int8, plain = args.out / "int8.onnx", args.out / "ptq4.onnx"
    if not int8.exists():
        images = ["--images", str(args.data), "--split", "calib", "--no-verdict"]
        if calibrate.main([str(args.model), *images, "-o", str(int8)]):
            raise ModelError(f"{args.model} could not be calibrated", hint="see above")
    torch.manual_seed(0)
    run = qat.Aware(qat.parser().parse_args(judged.flags(args, "qat", init=args.model, int8=int8, bits=4)))
    if not plain.exists() and not run.state["steps"]:
        atomic.replace_file(plain, run.model({}).SerializeToString())
    run.train()
    return {"float": args.model, "INT8": int8, "4 bits": plain, "4 bits, trained": args.out / "qat" / "model.onnx"}


if __name__ == "__main__":
    raise SystemExit(main())
