"""edge-build: makes a TensorRT plan from an ONNX file, for the machine on which it is built.

    edge-build nano_int8.onnx                               # to engines/plans/BOARD-trtVERSION/
    edge-build nano.onnx --precision fp16 --images photos/ -o nano.plan
    edge-build nano_int8.onnx --precision best              # builds several, times them, keeps the fastest
    edge-build nano.onnx --precision int8 --calib photos/ -o nano.plan
    edge-build pruned.onnx --compact                        # without the filters that do nothing
    edge-build nano.onnx --precision fp16 --dla 0           # Xavier and Orin: DLA takes no INT8 network
    edge-build nano_int8.onnx --compute-capability SM86     # TensorRT-RTX, for another computer

INT8 takes its ranges from the file that edge-calibrate wrote, or from sample images. Without ranges it is not built.
Float16 is compared with float32 on pictures first, and what it would spoil stays in float32.
Beside the plan lies its passport, a JSON file that says what the plan is and where it runs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import List, Optional, Sequence

from edge_runtime import build, calibrate
from edge_runtime.backends import MOST_BATCH
from edge_runtime.build import BuildInput, BuildOptions, memory
from edge_runtime.calibrate import images as image_sets
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.cli import (
    _build_compact,
    _build_half,
    _files,
    _flags,
    _guard,
    _notes,
    _progress,
    _streams,
    _values,
    jetson,
)
from edge_runtime.cli._build_best import best
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._parser import Parser
from edge_runtime.detect import engines, evidence
from edge_runtime.detect.understand import Model
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import atomic
from edge_runtime.files.outputs import Output
from edge_runtime.gpu import passport, trt
from edge_runtime.gpu.passport import Passport
from edge_runtime.model.outputs import MOST_ROWS, lists
from edge_runtime.model.spec import ModelSpec

MOST_IMAGES = 512
GROWN = 1.5  # times the size of the model: the output then says why


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    args = _parser().parse_args(argv)
    args.command = shlex.join(["edge-build", *(sys.argv[1:] if argv is None else argv)])
    return _guard.guarded(_run, args)


def _parser() -> Parser:
    parser = Parser("edge-build", description=__doc__)
    parser.take_files("MODEL.onnx", "", "the model to build")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="MODEL.plan", help="default engines/plans/BOARD-trtVERSION/MODEL.plan"
    )
    parser.add_argument(
        "--precision",
        choices=(*build.PRECISIONS, "best"),
        help="default: int8+fp16 for a file with ranges on a GPU with INT8, else fp16",
    )
    parser.add_argument(
        "--max-drop",
        type=_values.points,
        default=0.5,
        metavar="POINTS",
        help="points of AP that --precision best may lose with INT8, default 0.5; see edge-calibrate",
    )
    parser.add_argument("--calib", metavar="DIR|FILE.toml", help="sample images, for INT8 of a float file")
    _build_half.add_flags(parser)
    _build_compact.add_flags(parser)
    parser.add_argument(
        "--batch", type=_values.whole(1, MOST_BATCH), default=1, metavar="N", help="most images in one run, default 1"
    )
    parser.add_argument(
        "--workspace",
        type=_values.whole(1, 1 << 24),
        metavar="MIB",
        help="memory to build with, default: a quarter of the free memory",
    )
    parser.add_argument(
        "--dla",
        type=_values.whole(0, 15),
        metavar="N",
        help="build for a DLA core, in float16; what it cannot run goes to the GPU",
    )
    parser.add_argument(
        "--timing-cache",
        type=Path,
        metavar="FILE",
        help="measurements of earlier builds, default: a file beside the plan",
    )
    parser.add_argument("--compute-capability", default="", metavar="SM86", help="GPU to build for (TensorRT-RTX)")
    parser.add_argument("--json", action="store_true", help="print the passport on stdout")
    _flags.add_model_flags(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help=_flags.VERBOSE)
    jetson.add_root(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    _files.declared(args, WRITES)
    args.engine = engines.find_engine(args.engine)
    trt.library()
    model = evidence.described(args.engine, _flags.model_flags(args), args.batch)
    for line in (*_notes.about(model, args.verbose), *_lists(model)):
        print(line, file=sys.stderr)
    args.output = args.output or engines.plan_folder(Path(args.sysroot)) / f"{Path(args.engine).stem}.plan"
    try:
        args.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"no folder {args.output.parent}: {error.strerror}", hint="name another with -o") from error
    with _files.claimed(args, WRITES) as outputs:
        return _build(args, model.spec, outputs)


def _lists(model: Model) -> List[str]:
    """Says what a plan makes of outputs with another number of rows for each image."""
    names, most = ", ".join(lists(model.io)), MOST_ROWS
    return [f"note: output {names} has another number of rows for each image; a plan reads {most}"] if names else []


def _build(args: argparse.Namespace, spec: ModelSpec, outputs: Sequence[Output]) -> int:
    plan, byproducts = args.output, ByProducts(args.verbose)
    options = _options(args, plan)
    build.check(options)
    with _build_compact.file_to_build(args, spec) as path:
        source = replace(_source(args, path, spec, outputs, byproducts), path=args.engine)
    precision = args.precision or _precision(source, options)
    options = replace(options, precision=precision)
    _warn(source, precision, options.root)
    source = _build_half.judged(args, source, precision)
    if precision == "best":
        made = best(source, plan, options, args.command, args.max_drop)
    else:
        with _progress.fraction(f"building {precision}") as told:
            made = build.build(source, plan, options, args.command, told)
    if "reason" in made.golden:
        print(f"note: the plan gets no golden frames: {made.golden['reason']}", file=sys.stderr)
    print(made.to_json() if args.json else _sentence(args.engine, plan, made))
    return byproducts.exit_code


def _options(args: argparse.Namespace, plan: Path) -> BuildOptions:
    """The build options, with the precision if it is known before the file is read."""
    cache = args.timing_cache or plan.with_name(f"timing_{trt.version().replace(' ', '_')}.cache")
    wants_int8 = args.calib and args.precision in (None, "best")
    precision = "int8+fp16" if wants_int8 else args.precision or "fp16"
    workspace, root = (args.workspace or 0) * memory.MIB, Path(args.sysroot)
    return BuildOptions(precision, args.batch, workspace, args.dla, cache, args.compute_capability, root)


def _precision(source: BuildInput, options: BuildOptions) -> str:
    """The precision that fits the file and the GPU, if the user names none."""
    gpu = build.gpu_without_int8(options)
    if source.quantised and gpu:
        print(f"note: a GPU of compute capability {gpu} has no INT8: float16 is built", file=sys.stderr)
    return "int8+fp16" if source.quantised and not gpu else "fp16"


def _source(
    args: argparse.Namespace, path: str, spec: ModelSpec, outputs: Sequence[Output], byproducts: ByProducts
) -> BuildInput:
    if not args.calib:
        return build.load_input(path, spec)
    if args.precision in ("fp32", "fp16"):
        raise UsageError(f"--calib has no use for {args.precision}", hint="leave one of them out")
    data = image_sets.read_image_set(args.calib)
    _files.check_images(outputs, data.paths)
    images = image_sets.divide(data, MOST_IMAGES, False).paths
    table = _table(args)
    with _progress.progress() as bar:
        made = calibrate.calibrate(path, spec, images, known=_known(table), progress=bar)
    with byproducts.attempt(str(table)):
        atomic.replace_file(table, made.table.to_json(1).encode())
    return build.load_input(path, spec, made.model)


def _known(path: Path) -> Optional[RangeTable]:
    try:
        return RangeTable.load(path) if path.is_file() else None
    except ModelError as error:
        print(f"note: {error}; it is made anew", file=sys.stderr)
        return None


def _warn(source: BuildInput, precision: str, root: Path) -> None:
    """Prints notes that the user should know before the build."""
    if source.quantised and precision in ("fp32", "fp16"):
        print("note: its weights are rounded to 8 bits already; the float file gives a better plan", file=sys.stderr)
    found = memory.look(root)
    if found.tight:
        free = (found.available + found.swap) // memory.MIB
        print(f"note: only {free} MiB of memory and swap are free: {memory.SWAP}", file=sys.stderr)


def _sentence(model: str, plan: Path, made: Passport) -> str:
    types = ", ".join(f"{count} {name}" for name, count in made.convolutions.items()) or "n/a: not listed"
    place = made.place.board or f"compute capability {made.place.compute_capability or 'of the GPU here'}"
    size, before = plan.stat().st_size / 1e6, Path(model).stat().st_size / 1e6
    why = f" ({before:.1f} MB of model, and compiled kernels for this GPU)" if size > GROWN * before else ""
    most, least = made.io.input_shape[0], made.least_batch
    batches = "" if most == 1 else f"batches of {least} to {most}, " if least < most else f"batches of {most} only, "
    return (f"{plan}: {made.precision}, {batches}{size:.1f} MB{why} in {made.seconds:.1f} s by {made.place.tensorrt} "
            f"for {place}; convolutions: {types}; passport {passport.passport_path(plan)}")  # fmt: skip


def _table(args: argparse.Namespace) -> Path:
    path: Path = args.output.with_suffix(".ranges.json")
    return path


WRITES: _files.Writes = {
    "output": lambda args: [
        Output("-o", args.output, folders=True),
        Output("-o", passport.passport_path(args.output), folders=True, ours=b'"precision"'),
    ],
    "calib": lambda args: [Output("-o", _table(args), folders=True)] if args.output else [],
    "timing_cache": _files.file_of("--timing-cache", "timing_cache"),
}


if __name__ == "__main__":
    sys.exit(main())
