"""How a command ends: its exit code, and how errors are printed."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
from typing import Callable, Iterator, Optional

from edge_runtime.cli import _signals
from edge_runtime.errors import EdgeError
from edge_runtime.libraries import causes
from edge_runtime.text.escape import printable


@_signals.ending()
def guarded(main: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Runs a command; an error becomes `error: …` and `hint: …` on stderr and exit code 1 (-v: a traceback too)."""
    try:
        with _sysroot(getattr(args, "sysroot", None)):
            return main(args)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our stdout has left: `edge-detect --json | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except EdgeError as error:
        print_error(str(error), error.hint, args.verbose)
    except Exception as error:
        print_error(f"{type(error).__name__}: {error}", "this is a fault of edge-runtime: -v shows where", args.verbose)
    return 1


@contextlib.contextmanager
def _sysroot(folder: Optional[str]) -> Iterator[None]:
    """What was said as `--sysroot` holds for all that reads the board, and for programs that are started."""
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
    """Prints `error: …` and `hint: …`, and with `verbose` the traceback before them."""
    if verbose:
        traceback.print_exc()
    message, hint = causes.explain(message, hint)
    print(f"error: {printable(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {printable(hint)}", file=sys.stderr)
