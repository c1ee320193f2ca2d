"""edge-detect's `--check`: says what would run. No camera, output or engine is opened."""

from __future__ import annotations

import argparse
import json
from typing import Any, Dict, List, Sequence

from edge_runtime.cli._power import print_status
from edge_runtime.detect import engines
from edge_runtime.loop.stream import as_stream
from edge_runtime.text import secrets
from edge_runtime.track.options import TrackOptions


def say(args: argparse.Namespace) -> int:
    """Prints it; with `--json` as JSON on stdout. Returns the exit code.

    Raises:
        ModelError, UsageError: an engine is not there.
    """
    found = [as_stream(item) for item in args.streams]
    said = {
        "config": args.site.path if args.site else None,
        "engines": [engines.find_engine(engine) for engine in args.engine],
        "outputs": [*map(secrets.public, args.output), *([args.save] if args.save else []), *["window"] * args.show],
        "streams": [_stream(stream, args.conf) for stream in found],
    }
    if args.json:
        print(json.dumps(said), flush=True)
    else:
        for line in _lines(said):
            print_status(line)
    return 0


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
    return [*found, "it would run"]


def _listed(items: Sequence[Any]) -> str:
    return ", ".join(map(str, items)) or "none"
