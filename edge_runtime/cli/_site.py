"""edge-detect's `--config`: what is typed goes before what the file says, and each source becomes a `Stream`."""

from __future__ import annotations

import argparse
from typing import Any, Dict, List, Optional, Sequence, Set

from edge_runtime import sinks
from edge_runtime.cli import _config, _states, _track
from edge_runtime.cli._config import Site
from edge_runtime.cli._parser import Parser
from edge_runtime.errors import UsageError
from edge_runtime.loop.stream import Stream
from edge_runtime.track.options import TrackOptions


def add_flags(parser: Parser) -> None:
    """`--config` and `--check`."""
    group = parser.add_argument_group("a file instead of flags (docs/configuration.md)")
    about = "every flag as a key, and [[stream]] tables; typed flags override it; SIGHUP reads it again"
    group.add_argument("--config", metavar="SITE.toml", help=about)
    group.add_argument("--check", action="store_true", help="open nothing: say what would run, or would be refused")
    parser.set_defaults(site=None, reload=None, own_output=[], typed=())


def arguments(
    parser: Parser, words: Sequence[str], typed: argparse.Namespace, text: Optional[str] = None
) -> argparse.Namespace:
    """What the words and the file say together.

    Args:
        text: instead of what stands in the file.

    Raises:
        UsageError: the file is wrong, or both together name no model.
    """
    site = _config.load(typed.config, parser, text)
    said = {dest for dest, value in vars(typed).items() if value is not None}
    flags = {dest: value for dest, value in site.flags.items() if dest not in said}
    streams = [{dest: value for dest, value in table.items() if dest not in said} for table in site.streams]
    if "sources" in said:
        streams = []
    elif streams:
        flags["sources"] = [*flags.get("sources", []), *(table["source"] for table in streams)]
    if not flags.get("engine") and "engine" not in said:
        raise UsageError(
            f"{site.path} names no engine, and none is typed", hint='engine = "nano.onnx" in its first part'
        )
    args: argparse.Namespace = parser.parse_args(words, argparse.Namespace(**flags))
    args.site, args.typed = Site(site.path, site.flags, streams), sorted(said & _written(site))
    args.track = args.track or any(map(sinks.needs_ids, args.output))
    args.own_output = [(_config.key_of(table), target) for table in streams for target in table.get("output", [])]
    return args


def overridden(args: argparse.Namespace, parser: Parser) -> List[str]:
    """The keys of the file that do not count, because their flags are typed."""
    if not args.site:
        return []
    key_of = {action.dest: key for key, action in reversed(list(_config.keys(parser).items()))}
    return [f"{key_of[dest]} of {_config.short(args.site.path)} does not count: it is typed" for dest in args.typed]


def streams(args: argparse.Namespace) -> List[Stream]:
    """The sources of a configuration, or of typed flags.

    Raises:
        UsageError: settings of a stream contradict each other.
    """
    return [_stream(args, table) for table in _config.tables(args)]


def least(found: Sequence[Stream], args: argparse.Namespace) -> float:
    """The confidence from which on the detector must report boxes."""
    each = [min([stream.conf or 0.0, *stream.class_conf.values(), *_low(stream)]) for stream in found]
    return min([*each, *([_track.LOW] if args.site else [])])  # a reload can lower a threshold to it


def by_key(found: Sequence[Stream]) -> Dict[str, Stream]:
    """Streams by their names, or else their sources. What is named twice gets a number."""
    keyed: Dict[str, Stream] = {}
    for stream in found:
        name, number = stream.name or str(stream.source), 1
        key = name
        while key in keyed:
            number += 1
            key = f"{name} ({number})"
        keyed[key] = stream
    return keyed


def _stream(args: argparse.Namespace, table: Dict[str, Any]) -> Stream:
    own = argparse.Namespace(**{**vars(args), "output": [], **table})
    own.track = own.track or any(map(sinks.needs_ids, own.output))
    conf, track = own.conf, _track.options(own)
    return Stream(
        table["source"], table.get("name"), conf, own.class_conf, own.classes, track or False, _states.options(own),
        own.output,
    )  # fmt: skip


def _low(stream: Stream) -> List[float]:
    return [stream.track.low_threshold] if isinstance(stream.track, TrackOptions) else []


def _written(site: Site) -> Set[str]:
    tables = {dest for table in site.streams for dest in table if dest not in ("source", "name")}
    return set(site.flags) | tables | ({"sources"} if site.streams else set())
