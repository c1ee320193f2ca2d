"""edge-bench: frames per second, and per watt, for engines, power modes, batch sizes and numbers of streams.

    edge-bench nano_int8.plan --power-modes 15W,30W --output bench.json --output bench.html
    edge-bench a.onnx b.onnx --streams 1,2,4 --data voc2007/ --output bench.csv
    edge-bench compare before.json after.json
    edge-bench merge 15w.json 30w.json --output all.html

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
from typing import Any, Callable, Dict, List, Optional, Sequence, Set

from edge_runtime import benchmark, datasets
from edge_runtime.accuracy import evaluate
from edge_runtime.benchmark import Times, judged, results, rows, validity
from edge_runtime.benchmark.results import Row
from edge_runtime.benchmark.rows import Case
from edge_runtime.cli import _files, _flags, _guard, _notes, _power, _progress, _streams, _tune, _values
from edge_runtime.cli._bench_files import WRITES, check, compare_files, merge, show, write_files
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._power import print_status
from edge_runtime.datasets import Dataset
from edge_runtime.detect import engines
from edge_runtime.detect.detector import Detector
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import EdgeError
from edge_runtime.files.outputs import Output
from edge_runtime.jetson.hold import Hold
from edge_runtime.power.nvml import processes
from edge_runtime.sources import SourceOptions
from edge_runtime.text.secrets import public

SOURCE = "synthetic://1280x720"
CONF = 0.005  # confidence for accuracy, as in the protocols


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["compare"], ["merge"]):
        return _guard.guarded(*_files_command(words))
    args = _parser().parse_args(words)
    args.command = shlex.join(["edge-bench", *map(public, words)])
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
        "-o", "--output", action="append", default=[], type=Path, metavar="FILE", help="a .json, .csv or .html"
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


def _run(args: Namespace) -> int:
    check(args)
    with _files.claimed(args, WRITES) as outputs:
        return _benchmark(args, outputs)


def _benchmark(args: Namespace, outputs: Sequence[Output]) -> int:
    root = Path(args.sysroot)
    found: List[Row] = []
    written = ByProducts(args.verbose)
    data = datasets.open(args.data, args.split) if args.data else None
    _files.check_images(outputs, data.paths if data else ())
    _power.put_back(args, root, args.power_modes != [None])
    cases = [Case(engines.find_engine(engine), mode, batch, streams) for mode in args.power_modes
             for engine in args.engine for batch in args.batch for streams in args.streams]  # fmt: skip
    with ExitStack() as stack:
        hold = _power.hold_modes(stack, args, root) if args.power_modes != [None] else None
        sampler = stack.enter_context(Sampler.open(root, args.meter))
        _power.say_trace(root, sampler, None)
        if sampler.meter is None:
            print_status(f"note: watts are n/a: {sampler.reason}")
        bench = _Bench(args, root, sampler, hold, data)
        bar = stack.enter_context(_progress.progress())
        tick = bar("windows", len(cases) * (args.repeats + 1))
        try:
            for case in cases:
                found.append(bench.row(case, tick))
                written = write_files(found, args)
        finally:  # measured rows are kept, also after an error
            show(found, args)
    return written.exit_code if any(row["valid"] for row in found) else 1


class _Bench:
    """Measures one case after another. A mode is set only if it changes. Each engine's accuracy is measured once."""

    def __init__(
        self, args: Namespace, root: Path, sampler: Sampler, hold: Optional[Hold], data: Optional[Dataset]
    ) -> None:
        self._data = data
        self._args, self._root, self._sampler, self._hold = args, root, sampler, hold
        self._mode: Optional[str] = None
        self._accuracy: Dict[str, Dict[str, Any]] = {}
        self._told: Set[str] = set()

    def row(self, case: Case, tick: Callable[[], None]) -> Row:
        """Returns one row. If the case cannot be measured, the row says why."""
        about = {**rows.machine(self._root), "source": public(self._args.source)}
        print_status(f"{results.title(case.to_dict())} …")
        try:
            if self._hold and case.mode and case.mode != self._mode:
                self._mode = None
                print_status(f"power mode: {self._hold.set(case.mode)}")
                self._mode = case.mode
            return self._measure(case, about, tick)
        except EdgeError as error:
            print_status(f"note: {results.title(case.to_dict())}: {error}")
            return rows.refused(case, about, str(error))

    def _measure(self, case: Case, about: Dict[str, Any], tick: Callable[[], None]) -> Row:
        args, times = self._args, Times(self._args.warmup, self._args.seconds, self._args.repeats)
        asked = Namespace(**{**vars(args), "batch": case.batch})
        short = _tune.is_short(None, args.seconds * args.repeats)
        sources = [args.source] * case.streams
        with _tune.opened(asked, case.engine, sources, SourceOptions(loop=True), short) as detector:
            self._tell(case.engine, detector)
            benchmark.check_batch(detector, case.batch)
            span = self._sampler.begin()
            conditions = _power.conditions(self._root, self._sampler, args.idle)
            busy = validity.busy_before(self._sampler.end(span).states)
            windows = benchmark.windows(
                detector, args.source, case.streams, self._sampler, times, intruders=processes, tick=tick
            )
            alone_fps = benchmark.alone(detector, min(times.alone_s, times.window_s))
            about = {**about, **rows.identity(detector), **self._accuracy_of(case.engine)}
        against = [busy] if busy else []
        return rows.assemble(
            case, about, conditions, self._sampler.total, windows, alone_fps, validity.SHORTEST_S, against
        )

    def _tell(self, engine: str, detector: Detector) -> None:
        """Says once what was taken for granted about an engine."""
        for line in () if engine in self._told else _notes.about(detector.model, self._args.verbose):
            print_status(line)
        self._told.add(engine)

    def _accuracy_of(self, engine: str) -> Dict[str, Any]:
        if self._data and engine not in self._accuracy:
            args = Namespace(**{**vars(self._args), "conf": CONF, "multi_label": True, "batch": 1})
            flags, options = _flags.model_flags(args), _flags.backend_options(args)
            with Detector.open(engine, flags=flags, options=options) as detector:
                found = evaluate.evaluate(detector, self._data)
            accuracy = {"metric": "voc07_11pt", "value": round(found.voc07_11pt, 4)}
            self._accuracy[engine] = {"accuracy": accuracy, "ap": judged.seen(found, self._data.paths)}
        return self._accuracy.get(engine, {})


if __name__ == "__main__":
    sys.exit(main())
