"""Opens the engines of a recording, so that they read and report as they did there."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import List, Optional, Sequence, Tuple

from edge_runtime.backends import BackendOptions, choose_backend
from edge_runtime.blackbox.facts import hash_file
from edge_runtime.blackbox.recorded import RecordedEngine
from edge_runtime.detect import engines
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError, ModelError, UsageError
from edge_runtime.model import names
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelIO, ModelSpec


def open_engine(
    recorded: RecordedEngine, given: Optional[str] = None, options: BackendOptions = BackendOptions()
) -> Tuple[Detector, List[str]]:
    """Opens an engine with the recorded thresholds and preprocessing.

    Args:
        recorded: what ran.
        given: the file to use; None for the recorded one, which must have the same SHA-256.
        options: how it runs here. Thresholds are those of the recording. So are the backend and the threads, if none
            are said, and for the same file the batch.

    Returns:
        The detector, and what is different from the recording, one sentence each.

    Raises:
        ModelError: the recorded engine is not here.
        UsageError: the given one has other classes.
    """
    path, notes = engines.find_engine(given) if given else _same_file(recorded), []  # type: str, List[str]
    same = not given or hash_file(path) == recorded.sha256
    options = replace(options, thresholds=recorded.thresholds, batch=recorded.batch if same else 1)
    if not options.threads:
        options = replace(options, threads=recorded.threads, streams=recorded.streams)
    if options.backend is None:
        options = _as_there(path, recorded.backend, options, notes)
    detector = Detector.open(path, flags=flags_of(recorded.spec, recorded.chosen_wh), options=options)
    spec, stated = detector.model.spec, [] if same else _stated(detector.model.io)
    if spec.labels != recorded.spec.labels or (stated and len(stated) != len(recorded.spec.labels)):
        detector.close()
        hint = f"it ran {os.path.basename(recorded.path)}"
        raise UsageError(f"{path} has other classes than the engine of the recording", hint=hint)
    if not same:
        notes.append(f"{path} is not the file that was recorded ({os.path.basename(recorded.path)})")
    if stated and tuple(stated) != recorded.spec.labels:
        notes.append(f"{path} itself names other classes: {', '.join(stated)[:200]}")
    other = [name for name, value in vars(spec).items() if value != getattr(recorded.spec, name)]
    if other:
        notes.append(f"{path} is read with another {', '.join(other)}")
    return detector, notes


def _stated(io: ModelIO) -> Sequence[str]:
    """The class names that a file itself says; none if it says none. The recording says how it is read."""
    if METADATA_KEY in io.metadata:
        return ModelSpec.from_json(io.metadata[METADATA_KEY]).labels
    return names.from_metadata(io.metadata)[0]


def flags_of(spec: ModelSpec, chosen_wh: Optional[Tuple[int, int]]) -> ModelFlags:
    """What says that a model is read by this spec."""
    said = {name: value for name, value in vars(spec).items() if name != "input_wh" and value != ()}
    return ModelFlags(**said, imgsz=chosen_wh)


def _as_there(path: str, backend: str, options: BackendOptions, notes: List[str]) -> BackendOptions:
    """The options with the recorded backend, if it is installed here and runs this file."""
    there = replace(options, backend=backend)
    try:
        choose_backend(path, there)
    except EdgeError as error:
        notes.append(f"it ran with {backend}, which does not run here: {error}")
        return options
    return there


def _same_file(recorded: RecordedEngine) -> str:
    """The recorded path, or a file of that name where engines are looked up, if it is the same file."""
    name = os.path.basename(recorded.path)
    for place in (recorded.path, name):
        try:
            path = engines.find_engine(place)
        except EdgeError:
            continue
        if recorded.sha256 and hash_file(path) == recorded.sha256:
            return path
    fact = f"the engine of the recording is not here: {name}, SHA-256 {recorded.sha256[:12]}"
    raise ModelError(fact, hint="name it, or another one of the same classes: --engine FILE")
