"""Removes from a pruned network what does nothing. Its outputs stay the same, which is checked.

    python -m edge_runtime.graph.compact pruned.onnx -o small.onnx
    python -m edge_runtime.graph.compact pruned.onnx -o small.onnx --images bus.jpg street.jpg --json

Names, labels and all other metadata of the file stay. Pictures are stretched to the input's size, as RGB from 0 to 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.errors import EdgeError, ModelError, UsageError, told
from edge_runtime.files import atomic, outputs
from edge_runtime.files.outputs import Input, Output
from edge_runtime.graph.compact import compact
from edge_runtime.graph.compact.flags import add_flags, limits
from edge_runtime.graph.compact.others import opened_by
from edge_runtime.graph.compact.run import Array
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.imaging.picture import to_bgr
from edge_runtime.model import inputs, onnx_file
from edge_runtime.text.escape import printable

if TYPE_CHECKING:
    import onnx


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except EdgeError as error:
        print(told(error), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m edge_runtime.graph.compact",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL.onnx", help="a float32 network")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE.onnx")
    parser.add_argument("--images", nargs="+", default=[], metavar="FILE", help="pictures to compare on, too")
    parser.add_argument(
        "--imgsz", type=int, metavar="N", help="side of the input in pixels, if the file leaves it open"
    )
    add_flags(parser)
    parser.add_argument("--json", action="store_true", help="print the report on stdout as JSON")
    return parser


def _run(args: argparse.Namespace) -> int:
    given = [Input("model", args.model), *(Input("image", path) for path in args.images)]
    given += [Input("file with the model's weights", name) for name in onnx_file.external_files(args.model)]
    outputs.check([Output("-o", args.output)], given)
    model = onnx_file.load_whole(args.model)
    if args.imgsz is not None and args.imgsz < 1:
        raise UsageError(f"--imgsz is {args.imgsz}", hint="give the side of the input in pixels")
    size = (args.imgsz, args.imgsz) if args.imgsz else None
    made, report = compact(model, _pictures(model, args.images, size), size, *limits(args))
    opened = opened_by(model, made)
    atomic.replace_file(args.output, made.SerializeToString())
    lines = [*report.lines(), f"{printable(str(args.output))}: opened by {' and '.join(opened)}"]
    print(json.dumps({**report.to_dict(), "opened_by": opened}) if args.json else "\n".join(lines))
    return 0


def _pictures(model: onnx.ModelProto, paths: Sequence[str], size: Optional[Tuple[int, int]]) -> List[Dict[str, Array]]:
    """Pictures as inputs of the network; inputs beside the picture are 1."""
    if not paths:
        return []
    found = onnx_file.inputs_of(model)
    image = inputs.image_of({name: onnx_file.shape_of(value) for name, value in found.items()})
    if image is None or len(found) > 1:
        raise ModelError("the network does not take one picture alone", hint="compare without --images")
    return [{image: _tensor(found[image], path, size)} for path in paths]


def _tensor(value: onnx.ValueInfoProto, path: str, size: Optional[Tuple[int, int]]) -> Array:
    count, *sizes = onnx_file.shape_of(value)
    last = sizes[0] != 3
    sides = sizes[:2] if last else sizes[1:]
    width, height = (given if given > 0 else wanted for given, wanted in zip(sides[::-1], size or (0, 0)))
    if not height or not width:
        raise ModelError(f"the size of {value.name} is open: {sizes}", hint="--imgsz N fixes it")
    rgb = load_cv2().resize(to_bgr(path), (width, height))[:, :, ::-1]
    kind = onnx_file.dtype_of(value)
    scaled = rgb if kind == "uint8" else (rgb / np.float32(255)).astype(kind)
    return np.repeat((scaled if last else scaled.transpose(2, 0, 1))[None], max(count, 1), axis=0)


if __name__ == "__main__":
    sys.exit(main())
