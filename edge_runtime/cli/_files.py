"""The files that commands with models read. Each command declares what it writes. `files/outputs.py` checks both."""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import re
from pathlib import Path
from typing import Dict, Iterable, Iterator, Sequence

from edge_runtime.cli import _claims
from edge_runtime.cli._claims import Reader, board, plain
from edge_runtime.cli._claims import Writes as Writes
from edge_runtime.cli._claims import file_of as file_of
from edge_runtime.detect import engines
from edge_runtime.errors import EdgeError
from edge_runtime.files import outputs
from edge_runtime.files.given import address
from edge_runtime.files.outputs import Input, Output
from edge_runtime.gpu import passport
from edge_runtime.model import onnx_file
from edge_runtime.sources import image

LABELS = (".xml", ".txt", ".yaml", ".yml", ".names", ".cache")  # files of a data set that are not pictures
LISTINGS = ("instances*.json", "annotations/instances*.json")


def check_images(written: Sequence[Output], paths: Iterable[str]) -> None:
    """Checks the outputs again, with the pictures of a data set, which are known after it was read.

    Raises:
        UsageError: an output is one of them.
    """
    there = [output for output in written if output.over is None and output.path.exists()]
    outputs.check(there, [Input("image", path) for path in paths])


def _model(path: str) -> Iterator[Input]:
    """A model, its passport, and the files that hold its weights."""
    with contextlib.suppress(EdgeError):  # reported when it is opened
        path = engines.find_engine(path)
    yield Input("model", path)
    yield Input("passport", str(passport.passport_path(Path(path))))
    for name in onnx_file.external_files(path) if path.endswith(".onnx") else ():
        yield Input("file with the model's weights", name)


def _side(path: str) -> Iterator[Input]:
    """A model and the recipe beside it, or what another program wrote: a file, or a folder of arrays."""
    yield from _model(path)
    yield Input("recipe", str(Path(path).with_suffix(".toml")))
    if os.path.isdir(path):
        yield Input("folder of outputs", path, (".npz",))


def _data(path: str) -> Iterator[Input]:
    """A folder of pictures, a data set, or a file that describes one."""
    yield Input("data set", path, LABELS)
    for pattern in LISTINGS:
        yield from (Input("data set", str(file)) for file in Path(path).glob(pattern))


def _source(target: str) -> Iterator[Input]:
    """The files of a source. Cameras and streams have none."""
    if target.startswith("@"):
        yield Input("file with the address", target[1:])
    target = re.sub(r"^(gst\+)?file://", "", address(target))
    named = re.findall(r"location=\"?([^\s\"]+)", target) if target.startswith("gst:") else []
    yield from (Input("source", path) for path in [target, *named])
    inside = os.path.join(glob.escape(target), "*") if os.path.isdir(target) else target
    pictures = (path for path in glob.glob(inside) if path.lower().endswith(image.SUFFIXES))
    yield from (Input("source", path) for path in pictures)


def _trace(meter: str) -> Iterator[Input]:
    """`replay:FILE`."""
    yield Input("power trace", meter.partition(":")[2])


READS: Dict[str, Reader] = {
    "engine": _model, "first": _side, "second": _side, "recipe": plain("recipe"), "labels": plain("label file"),
    "recipe_a": plain("recipe"), "recipe_b": plain("recipe"),
    "data": _data, "verdict_data": _data, "images": _data, "image_folder": plain("folder of pictures"), "calib": _data,
    "sources": _source, "source": _source, "from_source": _source, "meter": _trace, "sysroot": board,
    "files": plain("result"), "config": plain("configuration"), "ca_file": plain("certificate file"),
    "recording": plain("recording"),
}  # fmt: skip

claimed = functools.partial(_claims.claimed, reads=READS)
declared = functools.partial(_claims.declared, reads=READS)
