"""edge-build's look at float16: pictures, the verdict, and the notes."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import List

from edge_runtime.build import BuildInput, half_verdict
from edge_runtime.calibrate import images as image_sets
from edge_runtime.cli import _progress
from edge_runtime.datasets import Dataset
from edge_runtime.errors import BackendUnavailable, ModelError, UsageError
from edge_runtime.sources.demo import PHOTOS

OWN = "photographs that come along"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of the verdict."""
    parser.add_argument("--images", metavar="DIR|FILE.toml", help="pictures to compare float16 with float32 on")
    parser.add_argument(
        "--no-verdict", action="store_false", dest="verdict", help="compare nothing; layers may overflow in float16"
    )


def judged(args: argparse.Namespace, source: BuildInput, precision: str) -> BuildInput:
    """Returns the model with what stays in float32, if float16 is built, and prints the verdict.

    Raises:
        UsageError: pictures were given, but no float16 is built.
        DatasetError: there are no pictures in --images.
        SourceError: a picture cannot be read.
    """
    if "fp16" not in precision and precision != "best":
        if args.images:
            raise UsageError(f"--images has no use for {precision}", hint="sample pictures for INT8 are --calib DIR")
        return source
    if not args.verdict:
        return source
    try:
        with _progress.progress() as bar:
            made, verdict = half_verdict.judge(source, pictures(args.images or args.calib), bar, args.max_drop)
    except (BackendUnavailable, ModelError) as error:
        reason = f"float16 is not compared with float32: {error}"
        print(f"note: {reason}", file=sys.stderr)
        return replace(source, half={"verdict": reason})
    lines: List[str] = [*(f"note: {line}" for line in verdict.notes()), verdict.sentence()]
    print("\n".join(lines), file=sys.stderr)
    return made


def pictures(given: str) -> Dataset:
    """The pictures of a folder, data set or manifest; without one, those that come along."""
    if not given:
        return Dataset(OWN, tuple(str(path) for path in sorted(PHOTOS.glob("*.jpg"))), (), ())
    data = image_sets.read_image_set(given)
    count = len(data.paths)
    numbers = sorted({round(k * (count - 1) / max(1, half_verdict.MOST - 1)) for k in range(half_verdict.MOST)})
    return image_sets.subset(data, numbers) if count > half_verdict.MOST else data
