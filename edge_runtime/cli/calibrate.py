"""edge-calibrate: makes an INT8 model from a float model and sample images.

    edge-calibrate nano.onnx --images photos/ -o nano_int8.onnx
    edge-calibrate nano.onnx --from-source rtsp://camera/stream --num 200 -o nano_int8.onnx
    edge-calibrate nano.onnx --images voc2007/ --split calib -o nano_int8.onnx --report report.html

The images are prepared exactly as for detection. Some are held out, to compare the two models on them. If a run was
killed, the next one continues it. The range table beside the model is used again if model, images, preparation and
method are the same.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Optional, Sequence

from edge_runtime import calibrate, sources
from edge_runtime.calibrate import Calibrated, diverse
from edge_runtime.calibrate import images as image_sets
from edge_runtime.calibrate.images import ImageSet
from edge_runtime.calibrate.ranges.table import LEGACY_VERSION, RangeTable, legacy_number
from edge_runtime.cli import _calibrate_verdict, _files, _flags, _guard, _notes, _power, _progress, _streams
from edge_runtime.cli._calibrate_files import WRITES, frames, partial, print_notes, table, write, write_byproducts
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._usage import Told
from edge_runtime.datasets import Dataset
from edge_runtime.detect import engines
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files.outputs import Output
from edge_runtime.gpu import trt
from edge_runtime.model.spec import ModelSpec
from edge_runtime.reports import pictures

FRAMES, CHOICE = 3000, 20  # frames of a live source to pick from: in all, and for each picture


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if bool(args.images) == bool(args.from_source):
        fact = "--images and --from-source" if args.images else "no pictures to calibrate on"
        parser.stop(Told(fact, "give one of them: --images DIR, or --from-source URI"))
    if args.report and not args.verdict:
        parser.stop(Told("--report is the page of the verdict", "leave --no-verdict out"))
    return _guard.guarded(_run, args)


def _parser() -> Parser:
    parser = Parser("edge-calibrate", description=__doc__)
    parser.take_files("FILE", "images", "the float model; also pictures, a folder or a data set instead of --images")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.onnx", help="where the INT8 model goes"
    )
    parser.add_argument(
        "--images", action="append", default=[], metavar="DIR|FILE", help="pictures, a labelled data set, or a manifest"
    )
    parser.add_argument("--from-source", metavar="URI", help="pick frames from a source, env:NAME or @FILE")
    parser.add_argument("--split", metavar="NAME", help="image set, if a data set has several")
    parser.add_argument("--image-folder", metavar="DIR", help="folder of the pictures of a manifest")
    parser.add_argument(
        "--num", type=_flags.positive, default=512, metavar="N", help="most images to calibrate on, default 512"
    )
    group = parser.add_argument_group("calibration")
    group.add_argument(
        "--method",
        choices=calibrate.METHODS,
        default="auto",
        help="how ranges are chosen; the default auto tries all and measures",
    )
    group.add_argument("--keep-fp", nargs="+", default=[], metavar="LAYER", help="layers to leave in float")
    group.add_argument(
        "--ranges", type=Path, metavar="FILE", help="where the range table goes, default OUT.ranges.json"
    )
    group.add_argument(
        "--manifest", type=Path, metavar="FILE.toml", help="write a list of the pictures it was calibrated on"
    )
    group.add_argument(
        "--tensorrt-form", type=Path, metavar="FILE", help="also write the model in the form that TensorRT needs"
    )
    group.add_argument("--half", action="store_true", help="float16 for what stays in float, in TensorRT's form")
    group.add_argument(
        "--legacy-cache", type=Path, metavar="FILE", help="also write a calibration cache of TensorRT 8 or 10"
    )
    group.add_argument(
        "--legacy-version", metavar="10.3.0", help="version of TensorRT that reads the cache, default: the one here"
    )
    _calibrate_verdict.add_flags(parser)
    _flags.add_model_flags(parser)
    _flags.add_detection_flags(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    with _files.claimed(args, WRITES) as outputs:
        return _calibrate(args, outputs)


def _calibrate(args: argparse.Namespace, outputs: Sequence[Output]) -> int:
    _check(args)
    args.engine = engines.find_engine(args.engine)
    already = calibrate.int8_already(args.engine)
    if already:
        print(f"note: {already}", file=sys.stderr)
    with Detector.open(args.engine, flags=_flags.model_flags(args), options=_flags.backend_options(args)) as detector:
        spec = detector.model.spec
        for line in _notes.about(detector.model, args.verbose):
            print(line, file=sys.stderr)
        images = _images(args, outputs)
        detector(images.paths[0])
        detector.watch.refuse(args.engine)
    _files.check_images(outputs, images.held_out.paths)
    for note in images.notes:
        print(f"note: {note}", file=sys.stderr)
    made = _made(args, spec, images)
    made, page = _calibrate_verdict.judge(args, spec, images, made) if args.verdict else (made, None)
    print_notes(made)
    write(args, made, images)
    partial(args).unlink(missing_ok=True)
    return write_byproducts(args, made, images, page)


def _check(args: argparse.Namespace) -> None:
    if args.report:
        pictures.check()
    if args.legacy_cache:
        args.legacy_version = args.legacy_version or _legacy_version()
        legacy_number(args.legacy_version)


def _legacy_version() -> str:
    """Version of the installed TensorRT, if it reads such caches."""
    if trt.missing() is None and hasattr(trt.library(), "IInt8EntropyCalibrator2"):
        return str(trt.library().__version__)
    print(f"note: no TensorRT that reads calibration caches is here: this one is for {LEGACY_VERSION}; "
          "for another say --legacy-version", file=sys.stderr)  # fmt: skip
    return LEGACY_VERSION


def _images(args: argparse.Namespace, outputs: Sequence[Output]) -> ImageSet:
    if args.images:
        data = _pictures(args)
        _files.check_images(outputs, data.paths)
        return _divided(args, data)
    source = sources.open(args.from_source, sources.SourceOptions(max_tries=20))
    folder = frames(args)
    most = min(FRAMES, CHOICE * args.num) if source.live else None
    try:
        with _progress.progress() as bar:
            tick = bar("frames", source.frame_count or most or 0)
            paths = diverse.pick(source, args.num, folder, most, tick, _power.print_status)
    finally:
        source.close()
    print(f"{len(paths)} frames are kept in {folder}", file=sys.stderr)
    return _divided(args, image_sets.read_image_set(str(folder)))


def _pictures(args: argparse.Namespace) -> Dataset:
    if len(args.images) == 1 and not args.images[0].lower().endswith(image_sets.SUFFIXES):
        return image_sets.read_image_set(args.images[0], args.image_folder, args.split)
    return image_sets.picture_set(args.images)


def _divided(args: argparse.Namespace, data: Dataset) -> ImageSet:
    """Images to calibrate on and images to compare on: those held out, or a separate set."""
    images = image_sets.divide(data, args.num, args.verdict and not args.verdict_data)
    if not args.verdict or not args.verdict_data:
        return images
    held_out = image_sets.read_image_set(args.verdict_data, None, args.verdict_split)
    both = {Path(path).resolve() for path in held_out.paths} & {Path(path).resolve() for path in images.paths}
    if both:
        fact = f"{len(both)} images to compare on are also calibrated on"
        raise UsageError(fact, hint="give --verdict-data other images, or leave it out: some are kept back")
    return replace(images, held_out=held_out)


def _made(args: argparse.Namespace, spec: ModelSpec, images: ImageSet) -> Calibrated:
    table_path, known = table(args), None
    if table_path.exists():
        try:
            known = RangeTable.load(table_path)
        except ModelError as error:
            print(f"note: {error}; it is made anew", file=sys.stderr)
    with _progress.progress() as bar:
        made = calibrate.calibrate(
            args.engine,
            spec,
            images.paths,
            args.method,
            tuple(args.keep_fp),
            known,
            partial(args),
            bar,
            _power.print_status,
        )
    if known is not None:
        said = "of another model, image set, preparation or method: made anew" if made.fresh else "up to date: used"
        print(f"{table_path} is {said}", file=sys.stderr)
    return made


if __name__ == "__main__":
    sys.exit(main())
