"""Ends a command: its exit code, and the printing of errors."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import traceback
from typing import Callable, Iterator, Optional

from edge_runtime.cli import _signals, _streams
from edge_runtime.errors import EdgeError
from edge_runtime.libraries import causes
from edge_runtime.text.escape import printable


@_signals.ending()
def guarded(main: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Runs a command. An error becomes `error: …` and `hint: …` on stderr and exit code 1 (-v: a traceback too).

    If the reader of our stdout ends early, like `head`, that is a normal end: exit code 0, and nothing is printed.
    """
    try:
        with _sysroot(getattr(args, "sysroot", None)):
            code = main(args)
        if sys.stdout:
            sys.stdout.flush()  # so that a reader that has ended is noticed here, and not when Python ends
        return code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except EdgeError as error:
        print_error(str(error), error.hint, args.verbose)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_has_left():
            _streams.forget(sys.stdout.fileno())
            return 0
        print_error(f"{type(error).__name__}: {error}", "this is a fault of edge-runtime: -v shows where", args.verbose)
    return 1


def _reader_has_left() -> bool:
    """Whether our stdout is the broken pipe. A broken pipe of another file is an error."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLERR)
    return bool(poll.poll(0))


@contextlib.contextmanager
def _sysroot(folder: Optional[str]) -> Iterator[None]:
    """Makes `--sysroot` valid for all code that reads the board, and for programs that are started."""
    before = os.environ.get("EDGE_SYSROOT")
    if folder:
        os.environ["EDGE_SYSROOT"] = folder
    try:
        yield
    finally:
        os.environ.pop("EDGE_SYSROOT", None)
        if before is not None:
            os.environ["EDGE_SYSROOT"] = before


def print_error(message: str, hint: Optional[str], verbose: bool) -> None:
    """Prints `error: …` and `hint: …`. With `verbose`, prints the traceback before them."""
    if verbose:
        traceback.print_exc()
    message, hint = causes.explain(message, hint)
    print(f"error: {printable(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {printable(hint)}", file=sys.stderr)
