"""Chooses how a model runs on this machine's processor: from the cache, or by a short trial."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional, Sequence, Tuple, Union

from edge_runtime import machine
from edge_runtime.backends import BackendOptions
from edge_runtime.detect import engines
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.loop.targets import SourceTarget, list_sources
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.sources import SourceOptions
from edge_runtime.tuning.cache import Cache
from edge_runtime.tuning.choice import BUSY, Choice
from edge_runtime.tuning.task import Task

AUTO, AGAIN, KEPT = "auto", "again", "kept"
WORTH = 600  # frames; a trial takes longer than it can save on fewer
DATE = "%Y-%m-%d %H:%M"
ABOUT = "trying threads and streams for this model, once on this machine"


@dataclass(frozen=True)
class Tuned:
    """An open detector, and why it runs as it does.

    Attributes:
        detector: the open detector. It is the caller's.
        choice: what a trial found; None if there was none.
        origin: "measured now", or when it was.
        notes: what could not be done: a trial that failed, a cache that cannot be read or written.
    """

    detector: Detector
    choice: Optional[Choice] = None
    origin: str = ""
    notes: Tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.choice.line(self.origin) if self.choice else self.detector.backend.description


def tune(
    path: Union[str, os.PathLike[str]],
    source: Union[SourceTarget, Sequence[SourceTarget], None] = None,
    *,
    flags: ModelFlags = ModelFlags(),
    options: BackendOptions = BackendOptions(),
    source_options: SourceOptions = SourceOptions(),
    when: str = AUTO,
    batches: bool = True,
    cache: Optional[Cache] = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Tuned:
    """Opens a model in the arrangement of backend, threads, streams and batch that is fastest on this machine.

        tuned = edge_runtime.tune("nano.onnx", "street.mp4")
        print(tuned)
        for result in Pipeline(tuned.detector, "street.mp4"):
            ...

    A trial opens the model up to nine times. Its outcome is kept in the user's cache for
    this file, machine, versions and goal. One from a time when other programs were busy is measured anew as soon as
    they are not.

    Files are tried for throughput, in a pipeline over a second reader of the same file, so that decoding it takes its
    part of the cores. Cameras and streams cannot be read twice. They are tried for the latency of one grey image of
    their size, at their rate. Of arrangements that are nearly as fast, the one with fewer threads is taken, which
    leaves cores for the decoding. Two backends may differ in the last digits of a result.

    Args:
        path: a model file, as `Detector.open` takes it.
        source: what will be read; None for a test pattern.
        flags: see `Detector.open`.
        options: how to run the model. What they name (backend, threads, streams, spinning) is not varied.
        source_options: how the source will be opened.
        when: "auto" tries if nothing is kept and the source has 600 frames or more; "again" tries in any case; "kept"
            never tries.
        batches: whether batches of 2 and 4 are tried too, over as many files. A batch that `options` names is kept.
        cache: where choices are kept.
        tell: called with a line before a trial begins.

    Raises:
        UsageError: an argument that makes no sense.
        EdgeError: see `Detector.open`. A trial that fails is a note, and the model runs as if nothing was measured.
    """
    if when not in (AUTO, AGAIN, KEPT):
        raise UsageError(f"when is {when!r}", hint=f"expected one of: {AUTO}, {AGAIN}, {KEPT}")
    name = os.fsdecode(path)
    model = name if os.path.dirname(name) else engines.find_engine(name)
    task, cache = Task(model, _targets(source), flags, options, source_options, batches), cache or Cache()
    if len([each for group in task.arrangements() for each in group]) < 2:
        return _usual(task)
    about = task.about()
    kept = None if when == AGAIN else cache.get(about)
    if kept and (when == KEPT or kept.others < BUSY or not _is_quiet()):
        return _as_kept(task, kept)
    notes = [cache.trouble] if cache.trouble else []
    if when == KEPT:
        return _usual(task, notes)
    try:
        tuned = _tried(task, when == AGAIN, tell)
    except EdgeError as error:
        return _usual(task, [*notes, f"threads and streams were not measured: {error}"])
    if tuned is None:
        return _as_kept(task, kept) if kept else _usual(task, notes)
    assert tuned.choice is not None
    cache.put(about, tuned.choice)
    return replace(tuned, notes=(cache.trouble,) if cache.trouble else ())


def _targets(source: Any) -> Tuple[str, ...]:
    found = []
    for target in [] if source is None else list_sources(source):
        if not isinstance(target, str):
            raise UsageError(f"{target.name} is open already", hint="give its path or address: a trial reads it twice")
        found.append(target)
    return tuple(found)


def _as_kept(task: Task, kept: Choice) -> Tuned:
    origin = f"kept from {kept.date}, --tune again measures anew"
    return Tuned(task.opened(kept.arrangement.applied(task.options)), kept, origin)


def _is_quiet(sample_s: float = 0.1) -> bool:
    """Whether other programs leave the cores alone now."""
    others = machine.Others()
    time.sleep(sample_s)
    return others.cores < BUSY


def _usual(task: Task, notes: Sequence[str] = ()) -> Tuned:
    return Tuned(task.opened(task.usual()), notes=tuple(notes))


def _tried(task: Task, short_too: bool, tell: Callable[[str], None]) -> Optional[Tuned]:
    """Runs the trial. None if the source is too short for one."""
    with ExitStack() as stack:
        readers = task.readers()
        for reader in readers:
            stack.callback(reader.end)
        counts = [reader.frame_count for reader in readers[:1]]
        if not short_too and counts and counts[0] is not None and counts[0] * len(task.targets) < WORTH:
            return None
        tell(ABOUT)
        contest = task.contest(readers)
        stack.callback(contest.close)
        others = machine.Others()
        contest.run(*task.arrangements())
        used, (detector, measured) = round(others.cores, 2), contest.won()
    left_out = (*task.broken(), *contest.failures())
    return Tuned(detector, Choice(task.goal, time.strftime(DATE), used, measured, left_out), "measured now")
