"""The flags that all trainings share, and how one is started."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Callable, Optional

import torch
from run import Run

from edge_runtime.errors import EdgeError


def parser(doc: Optional[str], rounds: bool = False) -> argparse.ArgumentParser:
    """The flags.

    Args:
        doc: docstring of the tool.
        rounds: whether a schedule is repeated, so that it is counted in batches and not by the clock.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with instances.json and images/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder of decoded pictures, default OUT/cache; runs may share it")
    parser.add_argument("--arch", default="yolo_nano")
    parser.add_argument("--imgsz", type=int, default=320, help="side of the training square")
    parser.add_argument("--sides", type=int, nargs="+", help="multi-scale: sides of batches, default --imgsz alone")
    parser.add_argument("--export-imgsz", type=int, default=None, help="side of the exported input, default --imgsz")
    parser.add_argument("--init", help="start from the weights of an exported ONNX file")
    parser.add_argument("--teacher", help="ONNX file of a YOLOX (BGR, 0..255) whose features are learnt as well")
    parser.add_argument("--before", help="exported ONNX file of the network before compression: its heads are learnt")
    parser.add_argument("--before-weight", type=float, default=1.0, help="of its heads beside the labels, default 1")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="length of the schedule in batches: repeatable")
    if not rounds:
        length.add_argument("--hours", type=float, help="the same by the clock, over all resumed runs")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument(
        "--plain-end", type=float, default=0.1, metavar="SHARE", help="of the schedule without mosaics, default 0.1"
    )
    parser.add_argument("--limit", type=int, help="train and validate on the first N images only: an overfitting check")
    parser.add_argument("--validate-every", type=float, default=10.0, metavar="MINUTES")
    parser.add_argument(
        "--anchors", choices=("table", "kmeans"), default="table", help="the table's own, or the labels'"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--float32", action="store_true", help="compute in float32 instead of bfloat16")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def run(make: Callable[[argparse.Namespace], Run], args: argparse.Namespace) -> int:
    """Trains, and returns the exit code."""
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True  # for depthwise convolutions, the first choice is often not the fastest
    return guarded(lambda: make(args).train())


def guarded(action: Callable[[], None]) -> int:
    """Prints an error as two lines, and returns the exit code."""
    try:
        action()
    except (EdgeError, OSError) as error:
        print(f"error: {error}\nhint: {getattr(error, 'hint', None) or 'check the paths'}", file=sys.stderr)
        return 1
    return 0
