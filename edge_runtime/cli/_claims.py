"""What a command reads and writes, by its flags, checked and locked before anything is opened. Needs no numpy."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Sequence

from edge_runtime.files import atomic, lock, outputs
from edge_runtime.files.outputs import Input, Output

BOARD = ("dev", "etc", "proc", "run", "sys", "usr")
Reader = Callable[[str], Iterable[Input]]
Reads = Mapping[str, Reader]
Writes = Mapping[str, Callable[[argparse.Namespace], Iterable[Output]]]


@contextlib.contextmanager
def claimed(args: argparse.Namespace, writes: Writes, reads: Reads) -> Iterator[Sequence[Output]]:
    """Everything that a command writes, checked and locked; nothing has been opened before.

    Raises:
        UsageError: an output is an input or another output, cannot be written, or another run writes it.
    """
    found = declared(args, writes, reads)
    for output in found:
        atomic.check_writable(output.path if output.over is None else output.path / "file")
    with lock.locked(*(output.path for output in found)):
        yield found


def declared(args: argparse.Namespace, writes: Writes, reads: Reads) -> List[Output]:
    """A command's outputs, none of which is an input.

    Args:
        writes: by flag, what it makes a command write.
        reads: by flag, what it makes a command read.

    Raises:
        UsageError: one is.
    """
    found = [output for name, make in writes.items() if getattr(args, name, None) for output in make(args)]
    outputs.check(found, _inputs(args, reads))
    return found


def file_of(flag: str, name: str, folders: bool = False) -> Callable[[argparse.Namespace], Iterable[Output]]:
    """Declares a flag that names one file."""
    return lambda args: [Output(flag, Path(getattr(args, name)), folders=folders)]


def _inputs(args: argparse.Namespace, reads: Reads) -> Iterator[Input]:
    """What a command reads, file by file as far as that costs little."""
    for name, read in reads.items():
        value: Any = getattr(args, name, None)
        for said in value if isinstance(value, list) else [value]:
            if said:
                yield from read(said if isinstance(said, str) else str(said))


def plain(what: str) -> Reader:
    """A file that is read as it is."""
    return lambda path: [Input(what, path)]


def board(root: str) -> Iterator[Input]:
    """A record of a board, or a folder in place of `/`; the machine's own files are not looked at."""
    yield Input("record of a board", getattr(root, "record", ""))
    if os.path.realpath(root) != os.sep:
        yield from (Input("board's folder", os.path.join(root, name), ("",)) for name in BOARD)
