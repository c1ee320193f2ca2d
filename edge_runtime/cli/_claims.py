"""Checks and locks what a command reads and writes, by its flags, before anything is opened. Needs no numpy."""

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
    """Checks and locks everything that a command writes. Nothing was opened before.

    Raises:
        UsageError: an output is an input or another output, cannot be written, or another run writes it.
    """
    found = declared(args, writes, reads)
    for output in found:
        atomic.check_writable(output.path if output.over is None else output.path / "file")
    with lock.locked(*(output.path for output in found)):
        yield found


def declared(args: argparse.Namespace, writes: Writes, reads: Reads) -> List[Output]:
    """Returns a command's outputs. None of them is an input.

    Args:
        writes: for each flag, what the command writes because of it.
        reads: for each flag, what the command reads because of it.

    Raises:
        UsageError: one of them is an input.
    """
    found = [output for name, make in writes.items() if getattr(args, name, None) for output in make(args)]
    outputs.check(found, _inputs(args, reads))
    return found


def file_of(flag: str, name: str, folders: bool = False) -> Callable[[argparse.Namespace], Iterable[Output]]:
    """Declares a flag that names one file."""
    return lambda args: [Output(flag, Path(getattr(args, name)), folders=folders)]


def _inputs(args: argparse.Namespace, reads: Reads) -> Iterator[Input]:
    """What a command reads. Single files are listed if that is quick."""
    for name, read in reads.items():
        value: Any = getattr(args, name, None)
        for said in value if isinstance(value, list) else [value]:
            if said:
                yield from read(said if isinstance(said, str) else str(said))


def plain(what: str) -> Reader:
    """A file that is read without following what it names."""
    return lambda path: [Input(what, path)]


def board(root: str) -> Iterator[Input]:
    """A record of a board, or a folder that stands for `/`. The machine's own files do not count."""
    yield Input("record of a board", getattr(root, "record", ""))
    if os.path.realpath(root) != os.sep:
        yield from (Input("board's folder", os.path.join(root, name), ("",)) for name in BOARD)
