"""edge-bench: frames per second, and per watt, for engines, power modes, batch sizes and numbers of streams.

    edge-bench nano_int8.plan --power-modes 15W,30W --output bench.json --output bench.html
    edge-bench a.onnx b.onnx --streams 1,2,4 --data voc2007/ --output bench.csv
    edge-bench compare before.json after.json
    edge-bench merge 15w.json 30w.json --output all.html
    edge-bench study.toml --output study.json --output study.html

Each row is warmed up, then measured in several windows of at least 30 seconds. A row is marked as not valid, with the
reason, if it throttled, drifted, lost power samples, or if other programs used the machine. Threads and streams are
those that edge-detect would take, see --tune; the row names them.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from edge_runtime.benchmark import validity
from edge_runtime.benchmark.results import Row
from edge_runtime.cli import _bench_run, _files, _flags, _guard, _power, _progress, _streams, _study, _tune, _values
from edge_runtime.cli._bench_files import WRITES, check, compare_files, merge, show, write_files
from edge_runtime.cli._bench_run import Bench
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._power import print_status
from edge_runtime.energy.sampler import Sampler
from edge_runtime.files.outputs import Output
from edge_runtime.text.secrets import public

SOURCE = "synthetic://1280x720"
STUDY = ".toml"  # a file that names the engines


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["compare"], ["merge"]):
        return _guard.guarded(*_files_command(words))
    command = shlex.join(["edge-bench", *map(public, words)])
    if words[:1] and words[0].endswith(STUDY):
        return _guard.guarded(_run_study, Namespace(words=words, command=command, verbose="-v" in words))
    args = _parser().parse_args(words)
    args.command = command
    return _guard.guarded(_run, args)


def _parser() -> Parser:
    parser = Parser("edge-bench", description=__doc__)
    parser.take_files("FILE", "source", "model files, measured one after the other, and a source")
    parser.add_argument(
        "--engine", action="append", default=[], metavar="FILE", help="model file (.onnx, .plan); repeatable"
    )
    group = parser.add_argument_group("what is measured: all combinations")
    group.add_argument(
        "--power-modes",
        type=_flags.words,
        default=[None],
        metavar="15W,30W",
        help="modes to set, default: the present mode",
    )
    group.add_argument(
        "--streams", type=_values.wholes(1), default=[1], metavar="1,2,4", help="numbers of copies of the source"
    )
    group.add_argument(
        "--source",
        default=SOURCE,
        metavar="URI",
        help=f"or env:NAME, @FILE; a file is looped; default {SOURCE}",
    )
    group.add_argument("--data", metavar="DIR", help="labelled images, to also measure accuracy")
    group.add_argument("--split", metavar="NAME", help="image set of --data")
    group.add_argument("--max-images", type=_flags.positive, metavar="N", help="use only the first N images of --data")
    group = parser.add_argument_group("how")
    group.add_argument(
        "--seconds",
        type=_values.duration,
        default=validity.SHORTEST_S,
        help="length of a window; less than 30 is not valid",
    )
    group.add_argument("--repeats", type=_flags.positive, default=3, metavar="N", help="windows of each row, default 3")
    group.add_argument(
        "--warmup", type=_values.seconds, default=5.0, metavar="SECONDS", help="time before the first window, default 5"
    )
    _add_output(parser)
    _power.add_flags(parser)
    _flags.add_model_flags(parser)
    _flags.add_detection_flags(parser, batches=True)
    _tune.add_flags(parser, streams=False)
    return parser


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", action="append", default=[], type=Path, metavar="FILE", help="a .json, .csv, .html or .md"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON on stdout")


def _files_command(words: Sequence[str]) -> tuple[Callable[[Namespace], int], Namespace]:
    parser = Parser(f"edge-bench {words[0]}")
    parser.add_argument("files", nargs=2 if words[0] == "compare" else "+", type=Path, metavar="FILE.json")
    if words[0] == "merge":
        _add_output(parser)
    else:
        parser.add_argument("--max-drop", type=_values.points, default=0.5, metavar="POINTS",
                            help="points of AP that the second may have lost, default 0.5")  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print everything as JSON on stdout")
    parser.add_argument("-v", "--verbose", action="store_true", help=_flags.VERBOSE)
    args = parser.parse_args(words[1:])
    args.command = shlex.join(["edge-bench", *map(public, words)])
    return (compare_files if words[0] == "compare" else merge), args


def _run_study(typed: Namespace) -> int:
    args = _study.arguments(_parser(), typed.words[0], typed.words[1:])
    args.command = typed.command
    return _run(args)


def _run(args: Namespace) -> int:
    check(args)
    with _files.claimed(args, WRITES) as outputs:
        return _benchmark(args, outputs)


def _benchmark(args: Namespace, outputs: Sequence[Output]) -> int:
    root = Path(args.sysroot)
    found: List[Row] = []
    written = ByProducts(args.verbose)
    todo = _bench_run.jobs(args)
    data = _bench_run.data_sets(todo)
    _files.check_images(outputs, [path for each in data.values() for path in each.paths])
    _power.put_back(args, root, args.power_modes != [None])
    with ExitStack() as stack:
        hold = _power.hold_modes(stack, args, root) if args.power_modes != [None] else None
        sampler = stack.enter_context(Sampler.open(root, args.meter))
        _power.say_trace(root, sampler, None)
        if sampler.meter is None:
            print_status(f"note: watts are n/a: {sampler.reason}")
        bench = Bench(root, sampler, hold, data)
        bar = stack.enter_context(_progress.progress())
        tick = bar("windows", len(todo) * (args.repeats + 1))
        try:
            for job in todo:
                found.append(bench.row(job, tick))
                written = write_files(found, args)
        finally:  # measured rows are kept, also after an error
            show(found, args)
    return written.exit_code if any(row["valid"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
