"""Weights that an ONNX file keeps in other files beside it, its external data."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Tuple

from edge_runtime.errors import ModelError

if TYPE_CHECKING:
    import onnx

MOST_BYTES = 1 << 31  # bytes of one ONNX file, the limit of protobuf
BLOCK = 1 << 20  # bytes that are read at once


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yields the constants of a graph, those in its nodes, and those of the graphs inside it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (tensor for tensor in (attribute.t, *attribute.tensors) if tensor.data_type)
            for inner in (attribute.g, *attribute.graphs):
                yield from tensors(inner) if inner.node else ()


def files_of(model: onnx.ModelProto, path: str) -> Tuple[str, ...]:
    """Returns the paths of the files that hold weights of the model at `path`, sorted by name."""
    entries = [entry for tensor in tensors(model.graph) for entry in tensor.external_data]
    names = sorted({entry.value for entry in entries if entry.key == "location"})
    return tuple(str(Path(path).parent / name) for name in names)


def check(model: onnx.ModelProto, path: str) -> None:
    """Raises ModelError, which names the file, if a file with weights is missing."""
    for file in files_of(model, path):
        if not Path(file).is_file():
            fact = f"{path} keeps its weights in {Path(file).name}, which is missing: {file}"
            raise ModelError(fact, hint="copy it to that place, or export the model as one file")


def load(model: onnx.ModelProto, path: str) -> None:
    """Reads the weights beside the file at `path` into the model, which is one file from then on.

    Raises:
        ModelError: a file is too short or not readable, or all together are larger than one ONNX file can be.
    """
    files = files_of(model, path)
    size = sum(Path(file).stat().st_size for file in (path, *files))
    if files and size >= MOST_BYTES:
        fact = f"{path} has {size / 1e9:.1f} GB of weights, and one ONNX file holds at most 2 GB"
        raise ModelError(fact, hint="calibrate a smaller model")
    for tensor in tensors(model.graph):
        if tensor.external_data:
            _read(tensor, path)


def _read(tensor: onnx.TensorProto, path: str) -> None:
    from onnx import TensorProto, external_data_helper, numpy_helper

    about = {entry.key: entry.value for entry in tensor.external_data}
    try:
        external_data_helper.load_external_data_for_tensor(tensor, str(Path(path).parent))
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
        numpy_helper.to_array(tensor)
    except Exception as error:  # types of onnx's own, and ValueError where bytes are missing
        fact = f"{tensor.name or 'a constant'} of {path} cannot be read from {about.get('location')}"
        raise ModelError(fact, hint="it may be truncated: copy it again, or export the model as one file") from error


def digest(model: onnx.ModelProto, path: str) -> str:
    """Returns the SHA-256 over the bytes of the file at `path`, and of the files that hold its weights."""
    return hash_files(path, *files_of(model, path))


def hash_files(*paths: str) -> str:
    """Returns the SHA-256 over the bytes of files, one after the other, as 64 hex digits.

    Raises:
        OSError: one cannot be read.
    """
    found = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(BLOCK), b""):
                found.update(block)
    return found.hexdigest()


def size_of(model: onnx.ModelProto, path: str) -> int:
    """Returns the bytes of the file at `path` and of the files that hold its weights."""
    return sum(Path(name).stat().st_size for name in (path, *files_of(model, path)))
