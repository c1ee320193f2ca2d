"""Every arrangement of backend, threads and streams end to end, in turns, beside the one that a trial chooses."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Dict, Iterable, Optional

from bench.pipeline import CORES, MODELS, Rig, stem
from bench.report import Table
from bench.timing import Samples, Settings, interleave, mid, ratio
from edge_runtime.backends import BackendOptions
from edge_runtime.cli.detect import SWITCH_INTERVAL_S
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.sources import SourceOptions
from edge_runtime.tuning.arrangements import Arrangement
from edge_runtime.tuning.cache import Cache
from edge_runtime.tuning.choice import Choice
from edge_runtime.tuning.task import Task
from edge_runtime.tuning.tuner import tune

GOALS = {8.0: 0.88, 30.0: 0.95}  # of bare inference with all cores, for models of at least so many milliseconds
COLUMNS = ("model", "arrangement", "FPS", "of the best", "raw FPS, all cores", "of raw", "latency p50 / p95", "chosen",
           "wanted")  # fmt: skip


def run(settings: Settings, video: str, codec: str) -> Table:
    table = Table("Arrangements, 720p file", COLUMNS)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    for model in settings.models or [str(Path(settings.shared, "models", name)) for name in MODELS]:
        choice = _choice(settings, model, video)
        if choice is None:
            table.notes.append(f"{stem(model)}: there is nothing to choose here.")
            continue
        _compare(table, settings, model, video, choice)
        table.notes.append(f"the trial, {stem(model)}: {choice.line('before the rounds')}.")
    table.notes += [
        f"video: {codec}; {CORES} cores; windows of {settings.seconds:g} s, {settings.long_rounds} rounds, all in turn;"
        " figures are medians over the rounds.",
        "chosen: by a trial before the rounds, as edge-detect makes it. of the best: against the arrangement with the"
        " highest median, in the same round; what differs by less than 3 % is equal.",
        "of raw: against bare inference with all cores in one stream, of the same backend, with the same open session.",
    ]
    return table


def _choice(settings: Settings, model: str, video: str) -> Optional[Choice]:
    with tempfile.TemporaryDirectory() as folder:
        tuned = tune(model, video, options=_options(settings), when="again", cache=Cache(Path(folder)))
        tuned.detector.close()
    return tuned.choice


def _options(settings: Settings) -> BackendOptions:
    return BackendOptions(settings.backends[0] if len(settings.backends) == 1 else None)


def _compare(table: Table, settings: Settings, model: str, video: str, choice: Choice) -> None:
    task = Task(model, (video,), ModelFlags(), _options(settings), SourceOptions())
    every = [each for group in task.arrangements() for each in group]
    rigs = {each: Rig(model, each.backend, each.threads, video, each.spinning, each.streams) for each in every}
    full = [each for each in every if each.streams == 1 and each.threads == CORES]
    cases = {_raw(each): partial(rigs[each].raw, settings.seconds) for each in full}
    cases.update({str(each): partial(rig.pipe, settings.seconds) for each, rig in rigs.items()})
    samples = interleave(f"{stem(model)}, arrangements", cases, settings.long_rounds, settings.progress)
    best = _fastest(samples, map(str, rigs))
    for each in rigs:
        raw = _fastest(samples, (_raw(other) for other in full if other.backend == each.backend))
        _add(table, samples, model, each, raw, best, choice)
    for rig in rigs.values():
        rig.detector.close()


def _raw(arrangement: Arrangement) -> str:
    return f"raw {arrangement}"


def _fastest(samples: Samples, names: Iterable[str]) -> str:
    return max(names, key=lambda name: mid(samples, name, "fps"))


def _add(table: Table, samples: Samples, model: str, one: Arrangement, raw: str, best: str, choice: Choice) -> None:
    of_best, of_raw = ratio(samples, str(one), best, "fps"), ratio(samples, str(one), raw, "fps")
    figures: Dict[str, float] = {key: mid(samples, str(one), key) for key in ("fps", "latency_p50", "latency_p95")}
    chosen, raw_fps = one == choice.arrangement, mid(samples, raw, "fps")
    goal = wanted_part(1e3 / raw_fps) if chosen else None
    wanted = "" if goal is None else f"{goal} {'ok' if of_raw >= goal else 'MISSED'}"
    table.rows.append((stem(model), str(one), f"{figures['fps']:.1f}", f"{of_best:.3f}", f"{raw_fps:.1f}",
                       f"{of_raw:.3f}", f"{figures['latency_p50']:.1f} / {figures['latency_p95']:.1f}",
                       "chosen" if chosen else "", wanted))  # fmt: skip
    table.data.append({"model": stem(model), "arrangement": str(one), "chosen": chosen, "of_best": of_best,
                       "of_raw": of_raw, "wanted": goal, "raw": samples[raw], "rounds": samples[str(one)]})  # fmt: skip


def wanted_part(raw_ms: float) -> Optional[float]:
    """The part of the bare rate that is wanted of a model of so many milliseconds; None if nothing is."""
    return max((goal for ms, goal in GOALS.items() if raw_ms >= ms), default=None)
