"""edge-eval: measures the accuracy of a detector on labelled images.

    edge-eval nano_int8.onnx voc2007/
    edge-eval --engine yolov8n.onnx --family yolo_v8 --labels coco --data coco/ --split val2017 --report report/ --json

A data set has the layout of PASCAL VOC (Annotations/), COCO (instances.json) or YOLO (images/, labels/). The metrics
have their exact names: voc07_11pt, voc_allpoint (IoU 0.5) and coco_101. Images are prepared as in edge-detect.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from edge_runtime import datasets, plugins
from edge_runtime.accuracy import evaluate
from edge_runtime.accuracy.evaluate import Evaluation
from edge_runtime.cli import _bench_run, _files, _flags, _guard, _notes, _progress, _streams
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._usage import Told
from edge_runtime.detect import engines
from edge_runtime.detect.detector import Detector
from edge_runtime.files.outputs import Output
from edge_runtime.reports import evaluation as report
from edge_runtime.reports import pictures
from edge_runtime.text.escape import printable

CONF = 0.005  # as in the protocols: a curve needs low scores too
PER_CLASS = ("voc07_11pt", "voc_allpoint", "AP", "AP50")


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if not args.data:
        parser.stop(Told("no data set", "--data DIR, a folder of labelled images"))
    return _guard.guarded(_run, args)


def _parser() -> Parser:
    parser = Parser("edge-eval", description=__doc__)
    parser.take_files("FILE", "data", "a model file and a data set")
    parser.add_argument("--engine", metavar="FILE", help="model file (.onnx, .plan)")
    parser.add_argument("--data", metavar="DIR|FILE", help="the data set's folder, JSON or YAML")
    parser.add_argument("--split", metavar="NAME", help="image set, if there are several")
    parser.add_argument(
        "--layout",
        choices=plugins.names("datasets"),
        help="layout of the data set, default: found from the folder",
    )
    parser.add_argument("--max-images", type=_flags.positive, metavar="N", help="use only the first N images")
    parser.add_argument("--json", action="store_true", help="print every figure as JSON on stdout")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write a page with curves and a confusion matrix, and its pictures"
    )
    _flags.add_model_flags(parser)
    _flags.add_detection_flags(parser, conf=CONF)
    parser.add_argument(
        "--single-label", action="store_false", dest="multi_label", help="a box has only its best class"
    )
    parser.set_defaults(multi_label=True)
    return parser


def _run(args: argparse.Namespace) -> int:
    with _files.claimed(args, WRITES) as outputs:
        return _evaluate(args, outputs)


def _evaluate(args: argparse.Namespace, outputs: Sequence[Output]) -> int:
    if args.report:
        pictures.check()
    data = datasets.open(args.data, args.split, args.layout)
    _files.check_images(outputs, data.paths)
    data = _bench_run.first(data, args.max_images)
    engine = engines.find_engine(args.engine)
    with Detector.open(engine, flags=_flags.model_flags(args), options=_flags.backend_options(args)) as detector:
        backend = detector.backend.description
        print(f"{engine}: {detector.model.spec.family}, {backend}; {len(data.paths)} images", file=sys.stderr)
        for line in _notes.about(detector.model, args.verbose):
            print(line, file=sys.stderr)
        with _progress.progress() as bar:
            evaluation = evaluate.evaluate(detector, data, bar("images", len(data.paths)))
    about = {"engine": engine, "data": data.name, "conf": args.conf, "iou": args.iou, "max_det": args.max_det,
             "multi_label": args.multi_label, "backend": backend}  # fmt: skip
    if args.json:
        print(json.dumps({**evaluation.summary(), **about}), flush=True)
    else:
        _print(evaluation, about)
    byproducts = ByProducts(args.verbose)
    if args.report:
        with byproducts.attempt(str(args.report)):
            title = f"{Path(engine).stem} on {data.name}"
            print(f"report: {report.write_evaluation_page(args.report, title, evaluation, about)}", file=sys.stderr)
    return byproducts.exit_code


def _print(evaluation: Evaluation, about: Dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("class", "objects", *PER_CLASS, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in evaluation.classes():
        figures = (f"{row[name]:.4f}" for name in PER_CLASS)
        table.add_row(printable(row["label"]), str(row["objects"]), *figures)
    console = _streams.console()
    console.print(table)
    for name, value in report.totals(evaluation).items():
        console.print(f"{name:14} {value:.4f}" if value >= 0 else f"{name:14} no such objects")
    conditions = ", ".join(f"{key} {about[key]}" for key in ("conf", "iou", "backend"))
    rate = f"{len(evaluation.found.truths)} images, {evaluation.found.fps:.1f} images/s"
    console.print(printable(f"{rate}, {conditions}"), soft_wrap=True)
    for note in evaluation.found.notes:
        console.print(printable(f"note: {note}"), soft_wrap=True)


WRITES: _files.Writes = {
    "report": lambda args: [
        Output("--report", path, folders=True, ours=b"voc07_11pt" if path.suffix == ".html" else b"")
        for path in report.report_files(args.report)
    ],
}


if __name__ == "__main__":
    sys.exit(main())
