"""edge-audit: names the first stage where two artefacts of one network part, and what explains it.

    edge-audit nano.onnx nano_int8.onnx --images photos/
    edge-audit nano.onnx theirs.npz --images photos/ --report page.html
    edge-audit nano.onnx theirs.jsonl --images photos/ --conf 0.25 --iou 0.45

One of the two is an ONNX file. The other is an ONNX file or a plan, or what another program wrote: outputs as .npz
(arrays PICTURE/NAME; PICTURE/input and PICTURE/boxes may be among them), a folder with one .npz per picture, boxes as
JSON Lines of edge-detect or as COCO results. The stages are pixels, layers, decoding, thresholds and NMS. A recipe
beside a model (m.toml beside m.onnx) is read; flags about the model hold for both. Where the two are read otherwise,
--recipe-a and --recipe-b say what holds for one of them, over all that holds for both. The exit code is 0 if the two
are equal, 1 if they part, 2 for an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from edge_runtime.audit import auditing, words
from edge_runtime.audit.preparations import Image
from edge_runtime.audit.recorded import is_recorded
from edge_runtime.audit.sides import open_side
from edge_runtime.audit.stages import Audit
from edge_runtime.backends import MOST_THREADS
from edge_runtime.calibrate import images as image_sets
from edge_runtime.cli import _files, _flags, _guard, _habits, _progress, _streams
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._usage import Told
from edge_runtime.cli._values import fraction, whole
from edge_runtime.errors import SourceError, UsageError
from edge_runtime.files.outputs import Output
from edge_runtime.imaging import image_file
from edge_runtime.model.recipe import ModelFlags, load_recipe
from edge_runtime.model.thresholds import MOST_BOXES, Thresholds
from edge_runtime.reports import audit as audit_page
from edge_runtime.text.escape import printable

MOST = 12  # pictures
PARTED, FAILED = 1, 2


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    for file in (args.first, args.second):
        what = _habits.foreign(file)
        if what:
            parser.stop(Told(f"{file} is {what[0]}", what[1]))
    args.parted = False
    code = _guard.guarded(_run, args)
    return FAILED if code == 1 else code or (PARTED if args.parted else 0)


def _parser() -> Parser:
    parser = Parser("edge-audit", description=__doc__)
    parser.add_argument("first", metavar="A", help="an ONNX file, a plan, or what another program wrote")
    parser.add_argument("second", metavar="B", help="the same; one of the two is an ONNX file")
    parser.add_argument("--images", action="append", required=True, metavar="DIR|FILE", help="the pictures of both")
    parser.add_argument(
        "--max-images", type=_flags.positive, default=MOST, metavar="N",
        help=f"look at no more than N pictures, default {MOST}",
    )  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write a page with the boxes of both")
    parser.add_argument("--json", action="store_true", help="print everything as JSON on stdout")
    parser.add_argument("--conf", type=fraction, default=0.25, metavar="0..1", help="threshold of both, default 0.25")
    parser.add_argument("--iou", type=fraction, default=0.45, metavar="0..1", help="overlap of NMS, default 0.45")
    parser.add_argument(
        "--max-det", type=whole(1, MOST_BOXES), default=300, metavar="N", help="most boxes in an image, default 300"
    )
    parser.add_argument(
        "--threads", type=whole(0, MOST_THREADS), default=0, metavar="N", help="threads of inference, default: all"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    _flags.add_model_flags(parser)
    for side in "ab":
        parser.add_argument(f"--recipe-{side}", metavar="FILE.toml", help=f"what holds for {side.upper()} alone")
    return parser


def _run(args: argparse.Namespace) -> int:
    with _files.claimed(args, WRITES) as outputs:
        return _audit(args, outputs)


def _audit(args: argparse.Namespace, outputs: Sequence[Output]) -> int:
    thresholds = Thresholds(args.conf, args.iou, args.max_det)
    flags = _flags.model_flags(args)
    paths, pictures = _pictures(args)
    _files.check_images(outputs, paths)
    sides = [
        open_side(path, _own(path, recipe, flags), thresholds, args.threads)
        for path, recipe in ((args.first, args.recipe_a), (args.second, args.recipe_b))
    ]
    with _progress.progress() as begin:
        found = auditing.audit(sides[0], sides[1], pictures, begin("tries", 0))
    args.parted = words.parted(found)
    if args.json:
        print(json.dumps(words.summary(found)), flush=True)
    else:
        _print(found)
    byproducts = ByProducts(args.verbose)
    if args.report:
        with byproducts.attempt(str(args.report)):
            audit_page.write_audit_page(args.report, " and ".join(found.names), found)
            print(f"report: {args.report}", file=sys.stderr)
    return byproducts.exit_code


def _own(path: str, recipe: Optional[str], flags: ModelFlags) -> ModelFlags:
    """The flags of one side: its own recipe, completed by what holds for both."""
    if not recipe:
        return flags
    if is_recorded(path):
        fact = f"{path} is what a program wrote, and {recipe} says how a model is read"
        raise UsageError(fact, hint="give the recipe to the side that is a model: --recipe-a, --recipe-b")
    return load_recipe(recipe).over(flags)


def _pictures(args: argparse.Namespace) -> Tuple[List[str], List[Tuple[str, Image]]]:
    """At most so many pictures, evenly over their order."""
    if len(args.images) == 1 and not args.images[0].lower().endswith(image_sets.SUFFIXES):
        paths = image_sets.read_image_set(args.images[0]).paths
    else:
        paths = image_sets.picture_set(args.images).paths
    most = min(len(paths), args.max_images)
    chosen = [paths[number * len(paths) // most] for number in range(most)]
    found = []
    for path in chosen:
        try:
            found.append((path, image_file.read_image(path)))
        except ValueError as error:
            raise SourceError(f"{path} {error}", hint="leave it out") from error
    return list(paths), found


def _print(found: Audit) -> None:
    from rich.table import Table

    console = _streams.console()
    console.print(printable(words.sentence(found)), soft_wrap=True)
    tables = [(words.COLUMNS, words.rows(found)), (words.TENSORS, words.layer_rows(found)),
              (words.TRIED, words.tried_rows(found)), (words.PICTURES, words.picture_rows(found))]  # fmt: skip
    for columns, rows in tables:
        if rows:
            table = Table(*columns, box=None, pad_edge=False)
            for column in table.columns:
                column.overflow = "fold"
            for row in rows:
                table.add_row(*map(printable, row))
            console.print()
            console.print(table)
    for note in found.notes:
        console.print(printable(f"note: {note}"), soft_wrap=True)


WRITES: _files.Writes = {"report": _files.file_of("--report", "report", folders=True)}


if __name__ == "__main__":
    sys.exit(main())
