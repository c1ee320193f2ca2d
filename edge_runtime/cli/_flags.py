"""Flags that several commands share, and their values."""

from __future__ import annotations

import argparse

from edge_runtime import plugins
from edge_runtime.backends import MOST_BATCH, MOST_THREADS, BackendOptions
from edge_runtime.cli._values import fraction, triple, typed, whole, wholes
from edge_runtime.cli._values import positive as positive
from edge_runtime.cli._values import size as size
from edge_runtime.cli._values import words as words
from edge_runtime.machine import usual_threads
from edge_runtime.model import anchors, recipe
from edge_runtime.model.geometry import RESIZE_MODES
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import COLORS, FIELDS, LAYOUTS
from edge_runtime.model.thresholds import MOST_BOXES, Thresholds

ANCHORS = typed(anchors.FIELD, str)
VERBOSE = "say why the file is read as it is, and show the traceback of an error"
LAYOUT = typed(FIELDS["head_layout"], lambda text: text.replace(" ", "").split(","))
ZERO_COPY = {"auto": None, "on": True, "off": False}
METER_HELP = "what measures watts, default: the best one here; replay:FILE plays a recorded trace"


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Flags for what a model file does not say about itself."""
    group = parser.add_argument_group("about the model, if its file does not say it")
    group.add_argument("--recipe", metavar="FILE.toml", help="a file with these flags; typed flags override it")
    group.add_argument(
        "--family",
        choices=plugins.names("heads"),
        metavar="NAME",
        help=f"how to read its outputs: {', '.join(plugins.names('heads'))}",
    )
    group.add_argument("--labels", metavar="coco|voc|FILE|a,b,c", help="class names")
    group.add_argument("--resize", choices=RESIZE_MODES, help="how images are fitted into its input")
    group.add_argument("--color", choices=COLORS, help="order of its input channels")
    group.add_argument(
        "--mean", type=triple, metavar="A,B,C", help="subtracted from each channel, in pixel values 0..255"
    )
    group.add_argument(
        "--std", type=triple, metavar="A,B,C", help="each channel is divided by it, in pixel values 0..255"
    )
    group.add_argument("--pad-value", type=whole(0, 255), metavar="0..255", help="grey of the letterbox, default 114")
    group.add_argument(
        "--anchors", type=ANCHORS, metavar="NAME|W,H,…/…", help=f"anchors of raw outputs: {anchors.EXPECTED}"
    )
    group.add_argument(
        "--head-layout", type=LAYOUT, metavar="WORDS", help=f"outputs that are unusual: {','.join(LAYOUTS)}"
    )
    group.add_argument("--imgsz", type=size, metavar="N|WxH", help="input size, if the model leaves it open")


def add_detection_flags(
    parser: argparse.ArgumentParser, conf: float = 0.25, iou: float = 0.45, batches: bool = False
) -> argparse._ArgumentGroup:
    """Flags for thresholds and for running the model. Returns the group of the thresholds, for more of them.

    Args:
        batches: whether several batch sizes may be given, `--batch 1,4`.
    """
    group = detection = parser.add_argument_group("detection")
    group.add_argument(
        "--conf", type=fraction, default=conf, metavar="0..1", help=f"least confidence of a detection, default {conf}"
    )
    group.add_argument(
        "--iou", type=fraction, default=iou, metavar="0..1", help=f"overlap at which NMS drops a box, default {iou}"
    )
    group.add_argument(
        "--max-det", type=whole(1, MOST_BOXES), default=300, metavar="N", help="most boxes in an image, default 300"
    )
    group.add_argument("--classes", type=words, metavar="NAME|ID,…", help="look for these classes only")
    group.add_argument("--multi-label", action="store_true", default=None, help="a box may have several classes")
    group = parser.add_argument_group("execution")
    group.add_argument("--backend", choices=plugins.names("backends"), help="default: the fastest one installed")
    group.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "tensorrt"), help="default auto")
    group.add_argument(
        "--threads",
        type=whole(0, MOST_THREADS),
        default=0,
        metavar="N",
        help="threads of inference, default: all cores; from 3 on, one is left free",
    )
    group.add_argument(
        "--batch", type=(wholes if batches else whole)(1, MOST_BATCH), default=[1] if batches else 1,
        metavar="1,4" if batches else "N", help="images in one run; on a processor also for models of one image",
    )  # fmt: skip
    group.add_argument(
        "--zero-copy", choices=ZERO_COPY, default="auto", help="let a Jetson's GPU read images uncopied; auto measures"
    )
    about = "open an engine although it does not find what is stored with it"
    group.add_argument("--no-golden", action="store_false", dest="golden", help=about)
    group.add_argument("-v", "--verbose", action="store_true", help=VERBOSE)
    return detection


def model_flags(args: argparse.Namespace) -> ModelFlags:
    """The model's flags of the command line, completed by the recipe."""
    names = ("family", "labels", "resize", "color", "mean", "std", "pad_value", "imgsz", "head_layout", "anchors")
    flags = ModelFlags(**{name: getattr(args, name) for name in names})
    return flags.over(recipe.load_recipe(args.recipe)) if args.recipe else flags


def backend_options(args: argparse.Namespace) -> BackendOptions:
    """Thresholds and execution options for a pipeline."""
    thresholds = Thresholds(args.conf, args.iou, args.max_det, args.classes, args.multi_label)
    threads = args.threads or usual_threads()
    return BackendOptions(
        args.backend, args.device, batch=args.batch or 1, threads=threads, zero_copy=ZERO_COPY[args.zero_copy],
        golden=args.golden, thresholds=thresholds,
    )  # fmt: skip
