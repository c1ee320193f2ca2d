"""What a command reads and writes, by its flags: declared here, decided in `files/outputs.py`."""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Sequence

from edge_runtime.detect import engines
from edge_runtime.errors import EdgeError
from edge_runtime.files import atomic, lock, outputs
from edge_runtime.files.outputs import Input, Output
from edge_runtime.gpu import passport
from edge_runtime.model import onnx_file
from edge_runtime.sources import image
from edge_runtime.sources._given import resolve

LABELS = (".xml", ".txt", ".yaml", ".yml", ".names", ".cache")  # files of a data set that are no pictures
LISTINGS = ("instances*.json", "annotations/instances*.json")
BOARD = ("dev", "etc", "proc", "run", "sys", "usr")
Reader = Callable[[str], Iterable[Input]]
Writes = Mapping[str, Callable[[argparse.Namespace], Iterable[Output]]]


@contextlib.contextmanager
def claimed(args: argparse.Namespace, writes: Writes) -> Iterator[Sequence[Output]]:
    """Everything that a command writes, checked and locked; nothing has been opened before.

    Raises:
        UsageError: an output is an input or another output, cannot be written, or another run writes it.
    """
    found = declared(args, writes)
    for output in found:
        atomic.check_writable(output.path if output.over is None else output.path / "file")
    with lock.locked(*(output.path for output in found)):
        yield found


def declared(args: argparse.Namespace, writes: Writes) -> List[Output]:
    """A command's outputs, none of which is an input.

    Args:
        writes: by flag, what it makes a command write.

    Raises:
        UsageError: one is.
    """
    found = [output for name, make in writes.items() if getattr(args, name, None) for output in make(args)]
    outputs.check(found, inputs(args))
    return found


def check_images(written: Sequence[Output], paths: Iterable[str]) -> None:
    """The same for pictures that are known only now that a data set has been read.

    Raises:
        UsageError: an output is one of them.
    """
    there = [output for output in written if output.over is None and output.path.exists()]
    outputs.check(there, [Input("image", path) for path in paths])


def file_of(flag: str, name: str, folders: bool = False) -> Callable[[argparse.Namespace], Iterable[Output]]:
    """Declares a flag that names one file."""
    return lambda args: [Output(flag, Path(getattr(args, name)), folders=folders)]


def inputs(args: argparse.Namespace) -> Iterator[Input]:
    """What a command reads, file by file as far as that costs little."""
    for name, read in READS.items():
        value: Any = getattr(args, name, None)
        for said in value if isinstance(value, list) else [value]:
            if said:
                yield from read(said if isinstance(said, str) else str(said))


def _plain(what: str) -> Reader:
    return lambda path: [Input(what, path)]


def _model(path: str) -> Iterator[Input]:
    """A model, its passport, and the files that hold its weights."""
    with contextlib.suppress(EdgeError):  # said when it is opened
        path = engines.find_engine(path)
    yield Input("model", path)
    yield Input("passport", str(passport.passport_path(Path(path))))
    for name in onnx_file.external_files(path) if path.endswith(".onnx") else ():
        yield Input("file with the model's weights", name)


def _data(path: str) -> Iterator[Input]:
    """A folder of pictures, a data set, or a file that describes one."""
    yield Input("data set", path, LABELS)
    for pattern in LISTINGS:
        yield from (Input("data set", str(file)) for file in Path(path).glob(pattern))


def _source(target: str) -> Iterator[Input]:
    """A source's files; cameras and streams have none."""
    if target.startswith("@"):
        yield Input("file with the address", target[1:])
    target = re.sub(r"^(gst\+)?file://", "", resolve(target))
    named = re.findall(r"location=\"?([^\s\"]+)", target) if target.startswith("gst:") else []
    yield from (Input("source", path) for path in [target, *named])
    inside = os.path.join(glob.escape(target), "*") if os.path.isdir(target) else target
    pictures = (path for path in glob.glob(inside) if path.lower().endswith(image.SUFFIXES))
    yield from (Input("source", path) for path in pictures)


def _trace(meter: str) -> Iterator[Input]:
    """`replay:FILE`."""
    yield Input("power trace", meter.partition(":")[2])


def _board(root: str) -> Iterator[Input]:
    """A record of a board, or a folder in place of `/`; the machine's own files are not looked at."""
    yield Input("record of a board", getattr(root, "record", ""))
    if os.path.realpath(root) != os.sep:
        yield from (Input("board's folder", os.path.join(root, name), ("",)) for name in BOARD)


READS: Dict[str, Reader] = {
    "engine": _model, "recipe": _plain("recipe"), "labels": _plain("label file"), "data": _data, "verdict_data": _data,
    "images": _data, "image_folder": _plain("folder of pictures"), "calib": _data, "sources": _source,
    "source": _source, "from_source": _source, "meter": _trace, "sysroot": _board, "files": _plain("result"),
    "weights": _plain("weights"), "classes": _plain("label file"), "read": _plain("proof"),
}  # fmt: skip
