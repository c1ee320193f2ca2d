"""The files and folders that edge-detect writes."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Tuple

from edge_runtime import sinks
from edge_runtime.cli import _config, _files, _record
from edge_runtime.energy import runlog
from edge_runtime.errors import UsageError
from edge_runtime.files import atomic
from edge_runtime.files.outputs import Output
from edge_runtime.sources import image
from edge_runtime.text import secrets


def targets(args: argparse.Namespace) -> List[str]:
    """The outputs for all sources."""
    save = [args.save.rstrip("/") + "/"] if args.save else []
    return [*args.output, *save, *(["window"] if args.show else [])]


def named(args: argparse.Namespace) -> List[str]:
    """The outputs of `--output`: those for all sources, and those for one."""
    return [*args.output, *(target for _, target in args.own_output)]


def check(args: argparse.Namespace) -> None:
    """Refuses outputs that are inputs or other outputs, and those that are none. Opens nothing.

    Raises:
        UsageError: there is such a one.
    """
    if args.json and any(map(sinks.is_stdout, named(args))):
        raise UsageError("--json and --output - both write to stdout", hint="leave --json out, or --output FILE.jsonl")
    _files.declared(args, WRITES)
    if args.log is not None:  # "" is a variable that is not set
        runlog.check(args.log)
    if args.save == "":
        raise UsageError("--save names no folder", hint="expected one like --save annotated")
    _record.check(args)


def check_writable(args: argparse.Namespace) -> None:
    """Refuses files and folders that cannot be written. Nothing of them is changed.

    Raises:
        UsageError: there is such a one.
    """
    for output in _files.declared(args, WRITES):
        atomic.check_writable(output.path if output.over is None else output.path / "file")


def files(source: str, targets: Iterable[str]) -> List[Path]:
    """The files, and not the folders, that outputs of one source write."""
    found = _written("--output", targets, [source])
    alone = (output.path for output in found if output.over is None and not atomic.is_special(output.path))
    return [Path(os.path.realpath(path)) for path in alone]


def _written(flag: str, targets: Iterable[str], names: Sequence[str]) -> List[Output]:
    """Files and folders among the outputs, with the names of the sources in them."""
    return [
        Output(flag, Path(path), _taken(target), folders="{source}" in target)
        for target in targets
        for path in sinks.written_paths(target, [secrets.public(name) for name in names])
    ]


def _names(args: argparse.Namespace) -> List[str]:
    """What the sources are called."""
    return list(map(_config.key_of, _config.tables(args)))


def _own(args: argparse.Namespace) -> List[Output]:
    return [output for name, target in args.own_output for output in _written("--output", [target], [name])]


def _taken(target: str) -> Optional[Tuple[str, ...]]:
    """Suffixes of the files in an output's folder that results may replace; None for a file."""
    if sinks.is_yolo(target):
        return (".txt",)
    if sinks.is_clips(target):
        return (".mp4", ".mkv")
    return image.SUFFIXES if target.endswith("/") else None


WRITES: _files.Writes = {
    "output": lambda args: _written("--output", args.output, _names(args)),
    "own_output": _own,
    "save": lambda args: _written("--save", [f"{args.save}/"], _names(args)),
    "log": _files.file_of("--log", "log"),
    "record": _files.file_of("--record", "record"),
}
