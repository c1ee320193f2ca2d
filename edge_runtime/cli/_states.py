"""Flags of edge-detect for live sources, and what it says of their states."""

from __future__ import annotations

import argparse
from typing import Any, Dict, Iterator, List

from edge_runtime.cli import _flags
from edge_runtime.cli._values import typed
from edge_runtime.sources import FIELDS, SourceOptions
from edge_runtime.sources._state import LIVE

COUNTED = (("reconnects", "came back"), ("stalls", "stalled"))


def add_flags(group: argparse._ArgumentGroup) -> None:
    """Flags for cameras that are away, and for their certificates."""
    group.add_argument("--wait", action="store_true", help="start without a camera that is away; of several one may be")
    group.add_argument(
        "--give-up", type=_flags.positive, metavar="N", help="end a lost camera after N tries; default: try for ever"
    )
    group.add_argument(
        "--patience", type=typed(FIELDS["patience_s"], float), metavar="SECONDS",
        help="in which a stream must answer and each of its pictures come; default 5, through GStreamer 10",
    )  # fmt: skip
    group.add_argument(
        "--ca-file", metavar="FILE.pem", help="check servers of rtsps:// and https:// with it; none: check nothing"
    )


def options(args: argparse.Namespace) -> SourceOptions:
    """What the flags ask of the sources."""
    return SourceOptions(
        args.size, args.fps, args.loop, wait=args.wait, max_tries=args.give_up, ca_file=args.ca_file,
        patience_s=args.patience,
    )  # fmt: skip


def away(states: List[Dict[str, Any]]) -> List[str]:
    """For the line while it runs: "rtsp://camera/live lost 12 s" of each source that is not live."""
    return [f"{of['source']} {of['state']} {of['since_s']:.0f} s" for of in states if of["state"] != LIVE]


def lines(states: List[Dict[str, Any]]) -> Iterator[str]:
    """For the summary: a line for each live source that was not always live, or from which pictures were left out."""
    for of in states:
        why = f" ({of['reason']})" if of["reason"] else ""
        said = [] if of["state"] == LIVE else [f"{of['state']} for {of['since_s']:.0f} s{why}"]
        said += [f"{word} {_times(of[key])}" for key, word in COUNTED if of[key]]
        said += [f"{of['broken']} broken pictures left out"] if of["broken"] else []
        said += [f"{of['stale']} old frames left out"] if of["stale"] else []
        if said:
            yield f"source: {of['source']}: {', '.join(said)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
