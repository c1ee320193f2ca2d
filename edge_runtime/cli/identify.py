"""edge-identify: finds out how a model wants its pictures, and how its outputs are read.

    edge-identify model.onnx
    edge-identify model.onnx --images photos/ -o recipe.toml
    edge-identify model.onnx --data coco128/ -o stamped.onnx --report page.html

It tries families, ways to fit a picture, channel orders and scales. Where pictures are labelled, AP decides. Elsewhere
it looks for what a right preparation alone gives: confident boxes that move with the picture when it is mirrored, cut
or made smaller. Flags about the model fix their part. Afterwards: edge-detect model.onnx --recipe recipe.toml.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from edge_runtime import datasets, plugins
from edge_runtime.backends import MOST_THREADS
from edge_runtime.calibrate import images as image_sets
from edge_runtime.cli import _files, _flags, _guard, _progress, _streams
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._usage import Told
from edge_runtime.cli._values import whole
from edge_runtime.detect import engines
from edge_runtime.errors import UsageError
from edge_runtime.files import atomic
from edge_runtime.files.outputs import Output
from edge_runtime.identify import answer, search, words
from edge_runtime.identify.search import Identified, Pictures
from edge_runtime.reports import identification
from edge_runtime.text.escape import printable

RECIPE, MODEL = ".toml", ".onnx"


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.images and args.data:
        parser.stop(Told("--images and --data", "give one of them: labelled pictures are enough"))
    if args.output and args.output.suffix.lower() not in (RECIPE, MODEL):
        parser.stop(Told(f"-o {args.output} is neither a recipe nor a model", "end the name in .toml or .onnx"))
    return _guard.guarded(_run, args)


def _parser() -> Parser:
    parser = Parser("edge-identify", description=__doc__)
    parser.take_files("FILE", "images", "an ONNX file; also pictures or a folder instead of --images")
    parser.add_argument("--images", action="append", default=[], metavar="DIR|FILE", help="pictures without labels")
    _add_data_flags(parser)
    parser.add_argument(
        "--budget", type=_flags.positive, default=search.BUDGET_S, metavar="SECONDS",
        help=f"begin no picture after so many seconds, default {search.BUDGET_S:.0f}",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.toml|FILE.onnx", help="write a recipe, or a copy that says it itself"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write a page with the boxes of the best ones")
    parser.add_argument("--json", action="store_true", help="print everything as JSON on stdout")
    parser.add_argument(
        "--threads",
        type=whole(0, MOST_THREADS),
        default=0,
        metavar="N",
        help="threads of inference, default: all",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    _flags.add_model_flags(parser)
    return parser


def _add_data_flags(parser: Parser) -> None:
    """Flags about the pictures."""
    parser.add_argument("--data", metavar="DIR|FILE", help="a labelled data set, as edge-eval takes it")
    parser.add_argument("--split", metavar="NAME", help="image set, if there are several")
    parser.add_argument(
        "--layout", choices=plugins.names("datasets"), help="layout of the data set, default: found from the folder"
    )
    parser.add_argument(
        "--max-images", type=_flags.positive, default=search.MOST, metavar="N",
        help=f"look at no more than N pictures, default {search.MOST}",
    )  # fmt: skip


def _run(args: argparse.Namespace) -> int:
    with _files.claimed(args, WRITES) as outputs:
        return _identify(args, outputs)


def _identify(args: argparse.Namespace, outputs: Sequence[Output]) -> int:
    path = engines.find_engine(args.engine)
    if not path.lower().endswith(MODEL):
        raise UsageError(f"{path} is no ONNX file", hint="give the ONNX file it was made of")
    pictures = _pictures(args)
    _files.check_images(outputs, pictures.paths)
    with _progress.fraction("trying") as tell:
        found = search.identify(path, _flags.model_flags(args), pictures, args.budget, args.threads, tell)
    notes = _notes(args, found)
    if args.json:
        print(json.dumps({"engine": path, **words.summary(found), "notes": notes}), flush=True)
    else:
        _print(path, found, notes)
    return _write(args, path, found, notes)


def _pictures(args: argparse.Namespace) -> Pictures:
    if args.data:
        return search.labelled(datasets.open(args.data, args.split, args.layout), args.max_images)
    if not args.images:
        return search.unlabelled((), "", args.max_images)
    if len(args.images) == 1 and not args.images[0].lower().endswith(image_sets.SUFFIXES):
        data = image_sets.read_image_set(args.images[0], None, args.split)
    else:
        data = image_sets.picture_set(args.images)
    return search.unlabelled(data.paths, data.name, args.max_images)


def _notes(args: argparse.Namespace, found: Identified) -> List[str]:
    """What a reader of the result should know."""
    notes = [*found.pictures.notes, *found.winner.candidate.notes]
    if found.cut:
        notes.append(f"the {args.budget:g} s of --budget ended it after {found.seen} of {len(found.pictures.images)} "
                     "pictures: more time gives a surer answer")  # fmt: skip
    if not args.data and not args.images:
        notes.append(f"only photographs that come along were used, {found.seen} of them: --images DIR, or better "
                     "labelled --data DIR, gives a surer answer")  # fmt: skip
    return notes


def _print(path: str, found: Identified, notes: Sequence[str]) -> None:
    from rich.table import Table

    table = Table(*words.COLUMNS, box=None, pad_edge=False)
    for name, column in zip(words.COLUMNS, table.columns):
        column.justify, column.overflow = "right" if name in ("score", "boxes") else "left", "fold"
    for row in words.rows(found):
        table.add_row(*map(printable, row))
    console = _streams.console()
    console.print(table)
    for line in (f"{path}: {words.reason(found)}", words.sure(found), _effort(found), *(f"note: {n}" for n in notes)):
        console.print(printable(line), soft_wrap=True)


def _effort(found: Identified) -> str:
    count = len(found.order) + len(found.dropped)
    return f"{count} combinations, {found.seen} pictures, {found.runs} runs, {found.seconds:.0f} s"


def _write(args: argparse.Namespace, path: str, found: Identified, notes: Sequence[str]) -> int:
    spec = found.model.spec
    if args.output and args.output.suffix.lower() == RECIPE:
        about = {"by": found.judge, "score": round(found.score, 4), "pictures": found.seen, "sure": words.sure(found)}
        atomic.replace_file(args.output, answer.recipe(spec, about).encode())
        print(f"{args.output}: edge-detect {path} --recipe {args.output} reads it", file=sys.stderr)
    elif args.output:
        answer.stamp(path, args.output, spec)
        print(f"{args.output}: the same network, which says all this itself", file=sys.stderr)
    byproducts = ByProducts(args.verbose)
    if args.report:
        with byproducts.attempt(str(args.report)):
            identification.write_identification_page(args.report, f"{Path(path).name}: what it is", found, notes)
            print(f"report: {args.report}", file=sys.stderr)
    return byproducts.exit_code


WRITES: _files.Writes = {
    "output": _files.file_of("-o", "output"),
    "report": _files.file_of("--report", "report", folders=True),
}


if __name__ == "__main__":
    sys.exit(main())
