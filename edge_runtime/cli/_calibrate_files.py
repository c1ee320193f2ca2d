"""edge-calibrate's files: the model first, then the files beside it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from edge_runtime import calibrate
from edge_runtime.calibrate import Calibrated
from edge_runtime.calibrate import images as image_sets
from edge_runtime.calibrate.images import ImageSet
from edge_runtime.cli import _files
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._calibrate_verdict import Page
from edge_runtime.errors import UsageError
from edge_runtime.files import atomic
from edge_runtime.files.outputs import Output


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


def write(args: argparse.Namespace, made: Calibrated) -> None:
    """Writes the model, and prints a sentence about it."""
    atomic.replace_file(args.output, made.model.SerializeToString())
    before, after = (Path(path).stat().st_size for path in (args.engine, args.output))
    print(f"{args.output}: {after / 1e6:.2f} MB, {after / before:.2f} of {args.engine}; "
          f"{len(made.table.float_activations)} of {len(made.table.ranges)} activations stay in float")  # fmt: skip


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
                raise UsageError(f"{args.report} is not written: there is no verdict", hint="give more pictures")
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
