"""Flags that several commands share, and what they become."""

from __future__ import annotations

import argparse

from edge_runtime import plugins
from edge_runtime.backends import MOST_BATCH, MOST_THREADS, BackendOptions
from edge_runtime.cli._values import fraction, triple, whole, wholes
from edge_runtime.cli._values import positive as positive
from edge_runtime.cli._values import size as size
from edge_runtime.cli._values import words as words
from edge_runtime.machine import cores
from edge_runtime.model import recipe
from edge_runtime.model.geometry import RESIZE_MODES
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import COLORS
from edge_runtime.model.thresholds import MOST_BOXES, Thresholds

ZERO_COPY = {"auto": None, "on": True, "off": False}
METER_HELP = "what measures, default: the best there is; replay:FILE plays a recorded trace"


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """What a model file does not say about itself."""
    group = parser.add_argument_group("about the model, where its file does not say")
    group.add_argument("--recipe", metavar="FILE.toml", help="these flags, in a file; flags win over it")
    group.add_argument("--family", choices=plugins.names("heads"), help="how to read its outputs")
    group.add_argument("--labels", metavar="coco|voc|FILE|a,b,c", help="class names")
    group.add_argument("--resize", choices=RESIZE_MODES, help="how images are fitted into its input")
    group.add_argument("--color", choices=COLORS, help="order of its input channels")
    group.add_argument("--mean", type=triple, metavar="A,B,C", help="subtracted per channel, pixel units 0..255")
    group.add_argument("--std", type=triple, metavar="A,B,C", help="divided by per channel, pixel units 0..255")
    group.add_argument(
        "--pad-value", type=whole(0, 255), metavar="0..255", help="grey level of the letterbox (default 114)"
    )
    group.add_argument("--imgsz", type=size, metavar="N|WxH", help="input size, for models that leave it open")


def add_detection_flags(
    parser: argparse.ArgumentParser, conf: float = 0.25, iou: float = 0.45, batches: bool = False
) -> None:
    """Thresholds, and what runs the model.

    Args:
        batches: several batch sizes may be given, `--batch 1,4`.
    """
    group = parser.add_argument_group("detection")
    group.add_argument("--conf", type=fraction, default=conf, help=f"default {conf}")
    group.add_argument("--iou", type=fraction, default=iou, help=f"NMS overlap, default {iou}")
    group.add_argument("--max-det", type=whole(1, MOST_BOXES), default=300, help="most boxes per image, default 300")
    group.add_argument("--classes", type=words, metavar="NAME|ID,…", help="report only these")
    group.add_argument("--multi-label", action="store_true", default=None, help="several classes per box")
    group = parser.add_argument_group("execution")
    group.add_argument("--backend", choices=plugins.names("backends"), help="default: the fastest one installed")
    group.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "tensorrt"))
    group.add_argument(
        "--threads",
        type=whole(0, MOST_THREADS),
        default=0,
        metavar="N",
        help="inference threads, default: all cores but one",
    )
    group.add_argument(
        "--batch", type=(wholes if batches else whole)(1, MOST_BATCH), default=[1] if batches else 1,
        metavar="1,4" if batches else "N", help="images per run, for models that leave it open",
    )  # fmt: skip
    group.add_argument(
        "--zero-copy", choices=ZERO_COPY, default="auto", help="a Jetson's GPU reads images in place; auto measures"
    )
    group.add_argument("-v", "--verbose", action="store_true", help="tracebacks of errors")


def model_flags(args: argparse.Namespace) -> ModelFlags:
    """The statements of the command line, completed by the recipe's."""
    names = ("family", "labels", "resize", "color", "mean", "std", "pad_value", "imgsz")
    flags = ModelFlags(**{name: getattr(args, name) for name in names})
    return flags.over(recipe.load_recipe(args.recipe)) if args.recipe else flags


def backend_options(args: argparse.Namespace) -> BackendOptions:
    """Thresholds and execution, for a pipeline: one core is left to decoding, drawing and writing."""
    thresholds = Thresholds(args.conf, args.iou, args.max_det, args.classes, args.multi_label)
    threads = args.threads or max(1, cores() - 1)
    return BackendOptions(
        args.backend, args.device, batch=args.batch, threads=threads, zero_copy=ZERO_COPY[args.zero_copy],
        thresholds=thresholds,
    )  # fmt: skip
