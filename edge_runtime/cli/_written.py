"""The files and folders that edge-detect writes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Iterable, List, Optional, Tuple

from edge_runtime import sinks
from edge_runtime.cli import _files
from edge_runtime.files.outputs import Output
from edge_runtime.sources import image
from edge_runtime.text import secrets


def _written(args: argparse.Namespace, flag: str, targets: Iterable[str]) -> List[Output]:
    """Files and folders among the outputs, with the names of the sources in them."""
    names = [secrets.public(source) for source in args.sources]
    return [
        Output(flag, Path(path), _taken(target), folders="{source}" in target)
        for target in targets
        for path in sinks.written_paths(target, names)
    ]


def _taken(target: str) -> Optional[Tuple[str, ...]]:
    """Suffixes of the files in an output's folder that results may replace; None for a file."""
    if sinks.is_yolo(target):
        return (".txt",)
    if sinks.is_clips(target):
        return (".mp4", ".mkv")
    return image.SUFFIXES if target.endswith("/") else None


WRITES: _files.Writes = {
    "output": lambda args: _written(args, "--output", args.output),
    "own_output": lambda args: _written(args, "--output", args.own_output),
    "save": lambda args: _written(args, "--save", [f"{args.save}/"]),
    "log": _files.file_of("--log", "log"),
}
