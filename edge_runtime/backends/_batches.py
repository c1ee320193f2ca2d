"""ONNX files that run in batches. One that was exported for a single picture is opened in memory."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Optional, Tuple

from edge_runtime.graph.batch import fixed_at_one, open_batch
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import ModelIO

if TYPE_CHECKING:
    import onnx


def load(path: str, batch: int) -> Tuple[onnx.ModelProto, bool]:
    """Returns the content of a file for that batch size, and whether it had to be opened for it.

    Raises:
        ModelError: it cannot be read, or it is for one picture and cannot be opened.
    """
    model = onnx_file.load_onnx(path)
    if batch == 1 or not fixed_at_one(model):
        return model, False
    about = os.stat(path)
    copy = type(model)()
    copy.CopyFrom(_opened(path, about.st_mtime_ns, about.st_size))
    return copy, True


@lru_cache(maxsize=1)
def _opened(path: str, *_: int) -> onnx.ModelProto:
    """The open network of one file, which is asked for several times while it is opened."""
    return open_batch(onnx_file.load_whole(path))


def read_io(path: str, imgsz: Optional[Tuple[int, int]], batch: int) -> ModelIO:
    """See `onnx_file.read_io`.

    Raises:
        ModelError: also if the file is for one picture, and cannot be opened.
    """
    return onnx_file.io_of(load(path, batch)[0], path, imgsz, batch)


def splits(path: str, batch: int) -> bool:
    """Whether the network for that batch size also runs a single picture."""
    if batch == 1:
        return False
    model, opened = load(path, batch)
    return opened or onnx_file.batches_of(model) == [-1]
