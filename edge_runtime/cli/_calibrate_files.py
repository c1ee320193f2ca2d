"""edge-calibrate's files: the model first, then the files beside it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Optional, Sequence, Tuple

from edge_runtime import calibrate
from edge_runtime.calibrate import Calibrated, reopened
from edge_runtime.calibrate import images as image_sets
from edge_runtime.calibrate.images import ImageSet
from edge_runtime.cli import _files, _flags
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._calibrate_verdict import Page
from edge_runtime.detect import golden
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError, ModelError, UsageError
from edge_runtime.files import atomic, folders
from edge_runtime.files.outputs import Output
from edge_runtime.graph.products import InFloat
from edge_runtime.model import external, onnx_file
from edge_runtime.model.spec import GOLDEN_KEY

if TYPE_CHECKING:
    import onnx

MUCH = 0.1  # part of the multiplications in float that the sentence about the model must name
NAMED = 4  # operators that a note names


def table(args: argparse.Namespace) -> Path:
    """Path of the range table."""
    path: Path = args.ranges or args.output.with_suffix(".ranges.json")
    return path


def partial(args: argparse.Namespace) -> Path:
    """Path of the notes of a run that is not finished."""
    path: Path = args.output.with_suffix(".partial.npz")
    return path


def frames(args: argparse.Namespace) -> Path:
    """Path of the folder with the frames that were picked."""
    path: Path = args.output.with_name(f"{args.output.stem}_images")
    return path


def write(args: argparse.Namespace, made: Calibrated, images: ImageSet) -> None:
    """Opens the model with every backend, compares it, and only then writes it. Prints a sentence about it.

    Raises:
        ModelError: a backend does not open it, or it has nothing to do with the float model.
    """
    content = content_of(made.model)
    with folders.scratch_folder(args.output) as folder:
        trial = folder / "int8.onnx"
        atomic.replace_file(trial, content)
        flags, options = _flags.model_flags(args), _flags.backend_options(args)
        for note in reopened.check_result(str(trial), args.engine, flags, options, images.paths):
            print(f"note: {note}", file=sys.stderr)
        content = _with_golden_frames(made, trial)
    atomic.replace_file(args.output, content)
    before = onnx_file.size_of(args.engine)
    print(f"{args.output}: {len(content) / 1e6:.2f} MB, {len(content) / before:.2f} of {args.engine}; "
          f"{len(made.table.float_activations)} of {len(made.table.ranges)} activations stay in float"
          f"{_in_float(made)}")  # fmt: skip


def _with_golden_frames(made: Calibrated, trial: Path) -> bytes:
    """The bytes of the model, with what it must find wherever it is opened; see `golden`."""
    try:
        with Detector.open(trial, backend="onnxruntime", device="cpu", slots=1) as detector:
            found = golden.record(detector.model, detector.backend)
        with Detector.open(trial, slots=1) as detector:  # by the preferred backend
            found = golden.widened(found, detector.model, detector.backend)
        made.model.metadata_props.add(key=GOLDEN_KEY, value=json.dumps(found))
    except EdgeError as error:  # hours of work are not lost for them
        print(f"note: the file gets no golden frames: {error}", file=sys.stderr)
    return content_of(made.model)


def content_of(model: onnx.ModelProto) -> bytes:
    """The bytes of a model as one file.

    Raises:
        ModelError: it is larger than 2 GB.
    """
    size = model.ByteSize()
    if size >= external.MOST_BYTES:
        fact = f"the INT8 model has {size / 1e9:.1f} GB, and one ONNX file holds at most 2 GB"
        raise ModelError(fact, hint="calibrate a smaller model")
    content: bytes = model.SerializeToString()
    return content


def _in_float(made: Calibrated) -> str:
    """The end of the sentence, where much stays in float."""
    if not made.table.ranges:
        return "; nothing is in INT8: no operator multiplies by constant weights"
    if made.float_share_onnxruntime <= MUCH:
        return ""
    there = f"{made.float_share_onnxruntime:.0%} on ONNX Runtime"
    return f"; {made.float_share:.0%} of the multiplications stay in float, {there}"


def print_notes(made: Calibrated) -> None:
    """Prints what is unusual, and which operators stay in float, and why."""
    lines = list(made.notes)
    everywhere = [each for each in made.in_float if each.everywhere]
    if everywhere:
        lines.append(f"{_many(everywhere)} in float, {_named(everywhere)}")
    others = [each for each in made.in_float if not each.everywhere]
    if others:
        lines.append(f"{_many(others)} in float on ONNX Runtime alone, {_named(others)}")
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def _many(operators: Sequence[InFloat]) -> str:
    count = len(operators)
    return f"{count} operators that multiply stay" if count > 1 else "1 operator that multiplies stays"


def _named(operators: Sequence[InFloat]) -> str:
    share = sum(each.share for each in operators)
    named = ", ".join(f"{each.name} ({each.reason})" for each in operators[:NAMED])
    more = f" and {len(operators) - NAMED} more" if len(operators) > NAMED else ""
    return f"{share:.1%} of the multiplications: {named}{more}"


def write_byproducts(args: argparse.Namespace, made: Calibrated, images: ImageSet, page: Optional[Page]) -> int:
    """Writes everything beside the model, which is written already. Returns the exit code."""
    files: Tuple[Tuple[Optional[Path], Callable[[], bytes]], ...] = (
        (table(args), lambda: made.table.to_json(1).encode()),
        (args.tensorrt_form, lambda: calibrate.tensorrt_form(made.model, args.half).SerializeToString()),
        (args.legacy_cache, lambda: made.table.legacy_cache(args.legacy_version).encode()),
    )
    byproducts = ByProducts(args.verbose)
    for path, content in files:
        if path is not None:
            with byproducts.attempt(str(path)):
                atomic.replace_file(path, content())
    if args.manifest:
        with byproducts.attempt(str(args.manifest)):
            image_sets.write_manifest(args.manifest, images.paths, args.image_folder)
    if args.report:
        with byproducts.attempt(str(args.report)):
            if page is None:
                raise UsageError(
                    f"{args.report} is not written: there is no verdict",
                    hint="it wants a float model, and more pictures to compare on",
                )
            page()
    return byproducts.exit_code


def _model_and_notes(args: argparse.Namespace) -> List[Output]:
    ranges = [] if args.ranges else [Output("-o", table(args))]
    return [Output("-o", args.output), Output("-o", partial(args)), *ranges]


WRITES: _files.Writes = {
    "output": _model_and_notes,
    "from_source": lambda args: [Output("-o", frames(args), over=("",))],
    "ranges": _files.file_of("--ranges", "ranges"),
    "manifest": _files.file_of("--manifest", "manifest"),
    "tensorrt_form": _files.file_of("--tensorrt-form", "tensorrt_form"),
    "legacy_cache": _files.file_of("--legacy-cache", "legacy_cache"),
    "report": lambda args: [Output("--report", args.report, folders=True),
                            Output("--report", args.report.with_suffix(".json"), folders=True,
                                   ours=b'"recommendation"')],
}  # fmt: skip
