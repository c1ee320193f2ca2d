"""Writes a network of the zoo as ONNX.

python -m edge_runtime.zoo [NAME] --list [--classes coco] [--preset small]
python -m edge_runtime.zoo leyolo --preset small -o small.onnx --classes coco --imgsz 480 [--weights small.npz]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime import zoo
from edge_runtime.errors import EdgeError, UsageError, told
from edge_runtime.files import atomic, outputs
from edge_runtime.files.outputs import Input, Output
from edge_runtime.graph.counts import total
from edge_runtime.model import labels
from edge_runtime.zoo import weights as zoo_weights
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.stats import architecture_layers


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
        "python -m edge_runtime.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", help="name of the architecture")
    parser.add_argument("--list", action="store_true", help="list names and presets with their counts")
    parser.add_argument("-o", "--output", metavar="FILE.onnx")
    parser.add_argument(
        "--classes", default="voc", metavar="N|voc|coco|FILE", help="class names, or their number (default voc)"
    )
    parser.add_argument("--imgsz", type=int, help="side of the input in pixels (default in --list)")
    parser.add_argument("--preset", help="variant (default: the first in --list)")
    parser.add_argument("--weights", metavar="FILE.npz", help="parameters by name (default random)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random weights")
    parser.add_argument("--keep-bn", action="store_true", help="do not fold batch normalisation")
    return parser


def _run(args: argparse.Namespace) -> int:
    if args.list:
        names = [args.name] if args.name else zoo.names()
        print("\n".join(listing(names, _labels(args.classes), args.imgsz, args.preset)))
        return 0
    if not args.name or not args.output:
        raise UsageError("nothing to do", hint="name an architecture and -o FILE.onnx; --list shows the names")
    given = [Input("label file", args.classes), Input("weights", args.weights or "")]
    outputs.check([Output("-o", Path(args.output))], given)
    architecture = zoo.build(args.name, _labels(args.classes), args.imgsz, args.preset)
    values = _weights(args.weights) if args.weights else zoo_weights.random(architecture, args.seed)
    atomic.replace_file(Path(args.output), to_onnx(architecture, values, keep_bn=args.keep_bn).SerializeToString())
    return 0


def listing(
    names: Sequence[str], classes: Sequence[str], imgsz: Optional[int] = None, preset: Optional[str] = None
) -> List[str]:
    """Returns a table of presets with their counts, as lines. A network that cannot be built has the reason instead.

    Args:
        imgsz: side of the input in pixels; None takes the usual one of each.
        preset: the only one that is listed; None lists all.

    Raises:
        UsageError: there is nothing to count: no such network or preset, or all refuse the classes or the size.
    """
    lines, errors = [], []
    for name, each in _presets(names, preset):
        try:
            lines.append(_counted(name, each, classes, imgsz))
        except UsageError as error:
            errors.append(error)
            lines.append(f"{name:14}{each:20}no count: {error}")
    if len(errors) == len(lines):
        raise errors[0]
    return [f"{'name':14}{'preset':20}{'input':>5}{'parameters':>13}{'conv MACs':>17}{'THOP MACs':>17}", *lines]


def _presets(names: Sequence[str], preset: Optional[str]) -> List[Tuple[str, str]]:
    """Names and presets that are asked for."""
    found = [(name, each) for name in names for each in zoo.presets(name) if preset in (None, each)]
    if not found:
        known = ", ".join(dict.fromkeys(each for name in names for each in zoo.presets(name)))
        raise UsageError(f"no preset {preset!r}", hint=f"there is: {known}")
    return found


def _counted(name: str, preset: str, classes: Sequence[str], imgsz: Optional[int]) -> str:
    built = zoo.build(name, classes, imgsz, preset)
    whole = total(architecture_layers(built))
    figures = f"{whole.parameters:13,}{whole.conv_macs:17,}{whole.thop_macs:17,}"
    return f"{name:14}{preset:20}{built.spec.input_wh[0]:5}{figures}"


def _labels(text: str) -> Tuple[str, ...]:
    return tuple(str(number) for number in range(int(text))) if text.isdecimal() else labels.load_labels(text)


def _weights(path: str) -> zoo_weights.Weights:
    try:
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} holds no weights: {error}", hint="give an .npz file with the parameter names of the architecture"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
