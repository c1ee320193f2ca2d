"""Measures the cases of edge-bench, one after the other."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from edge_runtime import benchmark, datasets
from edge_runtime.accuracy import evaluate
from edge_runtime.benchmark import Times, judged, results, rows, validity
from edge_runtime.benchmark.results import Row
from edge_runtime.benchmark.rows import Case
from edge_runtime.cli import _flags, _notes, _power, _tune
from edge_runtime.cli._power import print_status
from edge_runtime.datasets import Dataset
from edge_runtime.detect import engines
from edge_runtime.detect.detector import Detector
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import EdgeError
from edge_runtime.jetson.hold import Hold
from edge_runtime.power.nvml import processes
from edge_runtime.sources import SourceOptions
from edge_runtime.text.secrets import public

CONF = 0.005  # confidence for accuracy, as in the protocols
Data = Tuple[Optional[str], Optional[str], Optional[int]]  # --data, --split, --max-images


@dataclass(frozen=True)
class Job:
    """One row to measure.

    Attributes:
        args: the flags that count for it.
        about: what else its row says: of a study, name and counts.
    """

    case: Case
    args: Namespace
    about: Row = field(default_factory=dict)


def jobs(args: Namespace) -> List[Job]:
    """All combinations of engines, modes, batch sizes and streams. A mode is set as seldom as possible."""
    of_study: Sequence[Any] = getattr(args, "study", None) or [None] * len(args.engine)
    found = []
    for mode in args.power_modes:
        for engine, entry in zip(args.engine, of_study):
            mine = Namespace(**{**vars(args), **entry.flags}) if entry else args
            for batch in mine.batch:
                for streams in mine.streams:
                    case = Case(engines.find_engine(engine), mode, batch, streams)
                    found.append(Job(case, mine, entry.about if entry else {}))
    return found


def data_sets(todo: Sequence[Job]) -> Dict[Data, Dataset]:
    """The labelled pictures that the jobs name.

    Raises:
        DatasetError: some cannot be read.
    """
    asked = dict.fromkeys(_data(job.args) for job in todo if job.args.data)
    return {place: first(datasets.open(str(place[0]), place[1]), place[2]) for place in asked}


def first(data: Dataset, most: Optional[int]) -> Dataset:
    """The first pictures of a data set, all for None."""
    if not most or most >= len(data.paths):
        return data
    note = f"only the first {most} of {len(data.paths)} images"
    return replace(data, paths=data.paths[:most], truths=data.truths[:most], notes=(*data.notes, note))


class Bench:
    """Measures one job after another. A mode is set only if it changes. Each engine's accuracy is measured once."""

    def __init__(self, root: Path, sampler: Sampler, hold: Optional[Hold], data: Dict[Data, Dataset]) -> None:
        self._root, self._sampler, self._hold, self._data = root, sampler, hold, data
        self._mode: Optional[str] = None
        self._accuracy: Dict[Tuple[str, str], Row] = {}
        self._told: Set[str] = set()

    def row(self, job: Job, tick: Callable[[], None]) -> Row:
        """Returns one row. If the case cannot be measured, the row says why."""
        case = job.case
        about = {**rows.machine(self._root), "source": public(job.args.source), **job.about}
        about.update({"no_watts": self._sampler.reason} if self._sampler.meter is None else {})
        title = results.title({**case.to_dict(), **job.about})
        print_status(f"{title} …")
        try:
            if self._hold and case.mode and case.mode != self._mode:
                self._mode = None
                print_status(f"power mode: {self._hold.set(case.mode)}")
                self._mode = case.mode
            return self._measure(job, about, tick)
        except EdgeError as error:
            print_status(f"note: {title}: {error}")
            return rows.refused(case, about, str(error))

    def _measure(self, job: Job, about: Dict[str, Any], tick: Callable[[], None]) -> Row:
        args, case = job.args, job.case
        times = Times(args.warmup, args.seconds, args.repeats)
        asked = Namespace(**{**vars(args), "batch": case.batch})
        short = _tune.is_short(None, args.seconds * args.repeats)
        sources = [args.source] * case.streams
        with _tune.opened(asked, case.engine, sources, SourceOptions(loop=True), short) as detector:
            self._tell(case.engine, detector, args.verbose)
            benchmark.check_batch(detector, case.batch)
            span = self._sampler.begin()
            conditions = _power.conditions(self._root, self._sampler, args.idle)
            busy = validity.busy_before(self._sampler.end(span).states)
            windows = benchmark.windows(
                detector, args.source, case.streams, self._sampler, times, intruders=processes, tick=tick
            )
            alone_fps = benchmark.alone(detector, min(times.alone_s, times.window_s))
            about = {**about, **rows.identity(detector), **self._accuracy_of(job)}
        against = [busy] if busy else []
        return rows.assemble(
            case, about, conditions, self._sampler.total, windows, alone_fps, validity.SHORTEST_S, against
        )

    def _tell(self, engine: str, detector: Detector, verbose: bool) -> None:
        """Says once what was taken for granted about an engine."""
        for line in () if engine in self._told else _notes.about(detector.model, verbose):
            print_status(line)
        self._told.add(engine)

    def _accuracy_of(self, job: Job) -> Row:
        place = job.case.engine, str(job.about.get("name", ""))
        if job.args.data and place not in self._accuracy:
            data = self._data[_data(job.args)]
            args = Namespace(**{**vars(job.args), "conf": CONF, "multi_label": True, "batch": 1})
            flags, options = _flags.model_flags(args), _flags.backend_options(args)
            with Detector.open(job.case.engine, flags=flags, options=options) as detector:
                found = evaluate.evaluate(detector, data)
            accuracy = {"metric": "voc07_11pt", "value": round(found.voc07_11pt, 4)}
            seen = judged.seen(found, data.paths, data.name if job.about else "")
            self._accuracy[place] = {"accuracy": accuracy, "ap": seen}
        return self._accuracy.get(place, {})


def _data(args: Namespace) -> Data:
    return args.data, args.split, args.max_images
