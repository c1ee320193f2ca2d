"""What the commands share: flags that describe a model, where engines are looked up, how errors are printed."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

from edge_runtime import causes, model, onnx_file, plugins, recipe
from edge_runtime.backends import BackendOptions, cores
from edge_runtime.errors import EdgeError, ModelError, UsageError
from edge_runtime.geometry import RESIZE_MODES
from edge_runtime.jetson import board
from edge_runtime.model import Model
from edge_runtime.recipe import ModelFlags
from edge_runtime.spec import COLORS, Thresholds, Triple

PLANS = Path("engines", "plans")  # with a folder for each board
ZERO_COPY = {"auto": None, "on": True, "off": False}
METER_HELP = "what measures, default: the best there is; replay:FILE plays a recorded trace"
ENGINES = ("*.plan", "*.engine", "*.trt", "*.onnx")


def guarded(main: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Runs a command; an error becomes `error: …` and `hint: …` on stderr and exit code 1 (-v: a traceback too)."""
    try:
        with _sysroot(getattr(args, "sysroot", None)):
            return main(args)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our stdout has left: `edge-detect --json | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except EdgeError as error:
        _report(str(error), error.hint, args.verbose)
    except Exception as error:
        _report(f"{type(error).__name__}: {error}", "this is a fault of edge-runtime: -v shows where", args.verbose)
    return 1


@contextlib.contextmanager
def _sysroot(folder: Optional[str]) -> Iterator[None]:
    """What was said as `--sysroot` holds for all that reads the board, and for programs that are started."""
    before = os.environ.get("EDGE_SYSROOT")
    if folder:
        os.environ["EDGE_SYSROOT"] = folder
    try:
        yield
    finally:
        os.environ.pop("EDGE_SYSROOT", None)
        if before is not None:
            os.environ["EDGE_SYSROOT"] = before


def _report(message: str, hint: Optional[str], verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    message, hint = causes.explain(message, hint)
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def add_model_flags(parser: argparse.ArgumentParser, positional: bool = False) -> None:
    """The model file and what it does not say about itself.

    Args:
        positional: for commands that make a file of a file, and name it without `--engine`.
    """
    if positional:
        parser.add_argument("engine", metavar="MODEL.onnx", help="float model")
    else:
        parser.add_argument("--engine", "--model", required=True, metavar="FILE", help="model file (.onnx, .plan)")
    group = parser.add_argument_group("about the model, where its file does not say")
    group.add_argument("--recipe", metavar="FILE.toml", help="these flags, in a file; flags win over it")
    group.add_argument("--family", choices=plugins.names("heads"), help="how to read its outputs")
    group.add_argument("--labels", metavar="coco|voc|FILE|a,b,c", help="class names")
    group.add_argument("--resize", choices=RESIZE_MODES, help="how images are fitted into its input")
    group.add_argument("--color", choices=COLORS, help="order of its input channels")
    group.add_argument("--mean", type=_triple, metavar="A,B,C", help="subtracted per channel, pixel units 0..255")
    group.add_argument("--std", type=_triple, metavar="A,B,C", help="divided by per channel, pixel units 0..255")
    group.add_argument("--pad-value", type=int, metavar="0..255", help="grey level of the letterbox (default 114)")
    group.add_argument("--imgsz", type=size, metavar="N|WxH", help="input size, for models that leave it open")


def add_detection_flags(parser: argparse.ArgumentParser, conf: float = 0.25, iou: float = 0.45) -> None:
    """Thresholds, and what runs the model."""
    group = parser.add_argument_group("detection")
    group.add_argument("--conf", "--conf-thres", "--threshold", type=float, default=conf, help=f"default {conf}")
    group.add_argument("--iou", "--iou-thres", type=float, default=iou, help=f"NMS overlap, default {iou}")
    group.add_argument("--max-det", type=positive, default=300, help="most boxes per image, default 300")
    group.add_argument("--classes", type=words, metavar="NAME|ID,…", help="report only these")
    group.add_argument("--multi-label", action="store_true", default=None, help="several classes per box")
    group = parser.add_argument_group("execution")
    group.add_argument("--backend", choices=plugins.names("backends"), help="default: the fastest one installed")
    group.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "tensorrt"))
    group.add_argument(
        "--threads", type=int, default=0, metavar="N", help="inference threads, default: all cores but one"
    )
    group.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="images per run, for models that leave it open"
    )
    group.add_argument(
        "--zero-copy", choices=ZERO_COPY, default="auto", help="a Jetson's GPU reads images in place; auto measures"
    )
    group.add_argument("-v", "--verbose", action="store_true", help="tracebacks of errors")


def model_flags(args: argparse.Namespace) -> ModelFlags:
    """The statements of the command line, completed by the recipe's."""
    names = ("family", "labels", "resize", "color", "mean", "std", "pad_value", "imgsz")
    flags = ModelFlags(**{name: getattr(args, name) for name in names})
    return flags.over(recipe.load(args.recipe)) if args.recipe else flags


def backend_options(args: argparse.Namespace) -> BackendOptions:
    """Thresholds and execution, for a pipeline: one core is left to decoding, drawing and writing."""
    thresholds = Thresholds(args.conf, args.iou, args.max_det, args.classes, args.multi_label)
    threads = args.threads or max(1, cores() - 1)
    return BackendOptions(
        args.backend, args.device, batch=args.batch, threads=threads, zero_copy=ZERO_COPY[args.zero_copy],
        thresholds=thresholds,
    )  # fmt: skip


def find_engine(name: str) -> str:
    """The file meant by `--engine`: a path, or a bare name in the current folder, this board's plans or `engines/`.

    Raises:
        ModelError: there is none.
    """
    folders = (".", str(PLANS / board.slug(board.root())), "engines")
    places = [Path(name)] if os.path.dirname(name) else [Path(folder, name) for folder in folders]
    for place in places:
        if place.is_file():
            return str(place)
    there = sorted(str(path) for folder in folders for end in ENGINES for path in Path(folder).glob(end))
    hint = f"there is: {', '.join(there)}" if there else "give the path of a detector's .onnx or .plan file"
    raise ModelError(f"no engine {name!r} in {', '.join(str(p.parent) for p in places)}", hint=hint)


def size(text: str) -> Tuple[int, int]:
    """`640` or `1280x720` as (width, height)."""
    parts = [int(part) for part in text.lower().split("x")]
    if len(parts) not in (1, 2) or min(parts) < 1:
        raise ValueError(text)
    return parts[0], parts[-1]


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _triple(text: str) -> Triple:
    values = [float(part) for part in text.split(",")]
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        raise ValueError(text)
    return values[0], values[1], values[2]


def words(text: str) -> List[str]:
    """`a, b` as ["a", "b"]."""
    return [word.strip() for word in text.split(",") if word.strip()]


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """Bars with time left on a terminal, silent elsewhere; gives a function that begins one and returns its tick."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:

        def begin(label: str, total: int) -> Callable[[], None]:
            task = bars.add_task(label, total=total or None)
            return lambda: bars.advance(task)

        yield begin


@contextlib.contextmanager
def fraction(label: str) -> Iterator[Callable[[float, str], None]]:
    """A bar from 0 to 1 on a terminal, with the time gone by: it moves on its own where nobody says how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, phase: bars.update(task, total=1.0, completed=done)
        bars.update(task, total=1.0, completed=1.0)


def describe(path: str, flags: ModelFlags, batch: int = 1) -> Model:
    """What is known about an ONNX file, without opening it where it says enough itself.

    Raises:
        ModelError: not a detector that this program can read.
    """
    member = plugins.load("backends", "onnxruntime")
    read = onnx_file.read_io if member.available() else member.read_io
    return model.describe(path, read, flags, batch)


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file all or nothing.

    Raises:
        UsageError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="check folder, rights and space"
        ) from error
