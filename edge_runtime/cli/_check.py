"""edge-detect's `--check`: says what would run, and refuses what the start would refuse. Nothing is opened."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

from edge_runtime import backends, sinks, sources
from edge_runtime.cli import _flags, _govern, _power, _states, _written
from edge_runtime.cli._power import print_status
from edge_runtime.detect import engines
from edge_runtime.detect.understand import describe
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import SpecError
from edge_runtime.loop.stream import Stream, as_stream
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.sinks import SinkOptions, VideoOptions
from edge_runtime.text import secrets
from edge_runtime.track.options import TrackOptions


def say(args: argparse.Namespace, video: VideoOptions, modes: Sequence[str]) -> int:
    """Prints it; with `--json` as JSON on stdout. Returns the exit code.

    Args:
        video: as the outputs get it.
        modes: power modes of the run.

    Raises:
        EdgeError: the start would refuse it: an engine, a source, an output, a power mode, the name of a class.
    """
    found = [as_stream(item) for item in args.streams]
    for stream in found:
        sources.check(str(stream.source), stream.options or _states.options(args))
    held = _check_power(args, modes)
    paths = [engines.find_engine(engine) for engine in args.engine]
    for path in paths:
        _check_classes(path, args, found)
    targets = [*_written.targets(args), *(str(sink) for stream in found for sink in stream.sinks)]
    notes = list(filter(None, [held, *(sinks.check(target, SinkOptions(video=video)) for target in targets)]))
    _written.check_writable(args)
    said = {
        "config": args.site.path if args.site else None,
        "engines": paths,
        "outputs": [*map(secrets.public, args.output), *([args.save] if args.save else []), *["window"] * args.show],
        "streams": [_stream(stream, args.conf) for stream in found],
        "notes": notes,
    }
    if args.json:
        print(json.dumps(said), flush=True)
    else:
        for line in _lines(said):
            print_status(line)
    return 0


def _check_power(args: argparse.Namespace, modes: Sequence[str]) -> str:
    """Returns who holds a power mode just now; see `_power.check`."""
    goal = _govern.goal(args)
    held = _power.check(args, modes)
    reason = Sampler.check(Path(args.sysroot), args.meter)
    if goal:
        _govern.refuse_unmeasured(goal, reason)
    return held


def _check_classes(path: str, args: argparse.Namespace, streams: Sequence[Stream]) -> None:
    """Compares the names of classes with those of the model, which is read and does not run."""
    options = _flags.backend_options(args)
    member = backends.choose_backend(path, options)
    labels = describe(path, member.read_io, _flags.model_flags(args), options.batch).spec.labels
    options.thresholds.class_ids(labels)
    for stream in streams:
        try:
            for classes in (stream.classes, list(stream.class_conf) or None):
                Thresholds(classes=classes).class_ids(labels)
        except SpecError as error:
            name = stream.name or secrets.public(str(stream.source))
            raise SpecError(f"stream {name}: {error.message}", hint=error.hint) from error


def _stream(stream: Any, conf: float) -> Dict[str, Any]:
    track = stream.track if isinstance(stream.track, TrackOptions) else None
    return {
        "source": secrets.public(str(stream.source)),
        "name": stream.name,
        "conf": conf if stream.conf is None else stream.conf,
        "class_conf": dict(stream.class_conf),
        "classes": None if stream.classes is None else list(stream.classes),
        "track": track is not None,
        "lines": [line.name for line in track.lines] if track else [],
        "zones": [zone.name for zone in track.zones] if track else [],
        "outputs": [secrets.public(str(sink)) for sink in stream.sinks],
    }


def _lines(said: Dict[str, Any]) -> List[str]:
    found = [f"engine: {', '.join(said['engines'])}", f"outputs: {_listed(said['outputs'])}"]
    for stream in said["streams"]:
        name = f"{stream['name']}: " if stream["name"] else ""
        about = [f"conf {stream['conf']:g}", *(f"{label} {conf:g}" for label, conf in stream["class_conf"].items())]
        about += [
            f"{what} {_listed(stream[what])}" for what in ("classes", "lines", "zones", "outputs") if stream[what]
        ]
        about += ["tracked"] * stream["track"]
        found.append(f"stream {name}{stream['source']}: {'; '.join(about)}")
    notes = [f"note: {note}; if this is a run of this configuration, all is well" for note in said["notes"]]
    return [*found, *notes, "no error found; engine, cameras and outputs were not opened"]


def _listed(items: Sequence[Any]) -> str:
    return ", ".join(map(str, items)) or "none"
