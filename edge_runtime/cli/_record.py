"""edge-detect's flags for the black box, and the signal that asks for a recording."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
from typing import Any, Dict, Iterator, List, Optional

from edge_runtime.blackbox.recorder import FIELDS, MOST_BYTES, BlackBox
from edge_runtime.cli._values import to_seconds, typed
from edge_runtime.errors import UsageError

SIGNAL = signal.SIGUSR2
UNITS = {"k": 10**3, "M": 10**6, "G": 10**9}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags for recordings."""
    group = parser.add_argument_group("black box (docs/recording.md)")
    about = "keep the last minute, and write it after a fault or on SIGUSR2; edge-replay runs it again"
    group.add_argument("--record", metavar="FILE.edge", help=about)
    group.add_argument(
        "--record-s", type=typed(FIELDS["seconds"], to_seconds), metavar="SECONDS", help="keep so long, default 60"
    )
    most = f"the most memory, such as 64M; default {MOST_BYTES >> 20} MiB"
    group.add_argument("--record-bytes", type=typed(FIELDS["most_bytes"], _bytes), metavar="BYTES", help=most)
    group.add_argument("--record-end", action="store_true", help="also write at the end of the run")


def opened(args: argparse.Namespace) -> Optional[BlackBox]:
    """The black box that was asked for; None without one.

    Raises:
        UsageError: its file cannot be written, or settings are given for none.
    """
    check(args)
    if args.record is None:
        return None
    return BlackBox(args.record, at_end=args.record_end, about={"flags": _flags(args)}, **_given(args))


def check(args: argparse.Namespace) -> None:
    """Refuses a file that is no recording, and settings without a file. Opens nothing.

    Raises:
        UsageError: there is such a one.
    """
    if args.record is None and (_given(args) or args.record_end):
        raise UsageError("settings for a recording, and no file for it", hint="add --record last60.edge")
    if args.record is not None and not args.record.lower().endswith(".edge"):  # "" is a variable that is not set
        hint = "expected one like last60.edge; --output out.mp4 writes a video"
        raise UsageError(f"--record is {args.record!r}", hint=hint)


def _given(args: argparse.Namespace) -> Dict[str, Any]:
    given = {"seconds": args.record_s, "most_bytes": args.record_bytes}
    return {name: value for name, value in given.items() if value is not None}


@contextlib.contextmanager
def hears(box: Optional[BlackBox]) -> Iterator[None]:
    """Writes a recording when SIGUSR2 comes, until the block ends. A program that has its own use for it keeps it."""
    free = threading.current_thread() is threading.main_thread() and signal.getsignal(SIGNAL) is signal.SIG_DFL
    if box is None or not free:
        yield
        return
    signal.signal(SIGNAL, lambda *_: box.request("SIGUSR2"))
    try:
        yield
    finally:
        signal.signal(SIGNAL, signal.SIG_IGN)  # one that comes late must not end the process


def lines(summary: Dict[str, Any]) -> List[str]:
    """What the summary says of recordings."""
    found = summary.get("recordings", {})
    lost = f"recordings lost: {found['lost']}: {found['why']}" if found.get("lost") else ""
    return [*(f"recorded: {path}" for path in found.get("written", ())), *([lost] if lost else [])]


def _bytes(text: str) -> int:
    unit = UNITS.get(text[-1:], 1)
    return round(float(text[:-1] if unit > 1 else text) * unit)


def _flags(args: argparse.Namespace) -> Dict[str, Any]:
    """The flags that hold, as plain data."""
    plain = (bool, int, float, str, list, dict)
    return {name: value for name, value in vars(args).items() if isinstance(value, plain)}
