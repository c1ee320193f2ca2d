"""Replays recorded model outputs, one after the other, to test pipelines and heads without a network."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict
from io import BytesIO
from itertools import cycle
from typing import Dict, Iterator, List, Optional, Sequence, Tuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.backends._host import Array, HostBackend, Run
from edge_runtime.errors import ModelError
from edge_runtime.files import read
from edge_runtime.files.fields import check_fields
from edge_runtime.files.zips import open_zip
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import IO_FIELDS, ModelIO, ModelSpec

HANDLES = (".replay.npz",)
MOST = 1024 * read.MIB
# What zipfile and numpy raise for damaged archives.
BROKEN = (OSError, BadZipFile, EOFError, zlib.error, RuntimeError, struct.error, SyntaxError, TypeError)
DEVICES = ("cpu",)


def available() -> Optional[str]:
    """None: it needs nothing."""
    return None


def record(path: str, io: ModelIO, runs: Sequence[Sequence[NDArray[np.float32]]]) -> None:
    """Writes a recording: `runs[k]` are the outputs of run k, each (batch, ...), in the order of `io.outputs`."""
    arrays = {f"{k}.{n}": array for k, run in enumerate(runs) for n, array in enumerate(run)}
    np.savez_compressed(path, io=np.array(json.dumps(asdict(io))), **arrays)  # type: ignore[arg-type]


def read_io(path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """What was recorded with the outputs.

    Raises:
        ModelError: not a recording.
    """
    return _load(path)[0]


def open(path: str, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions) -> Backend:
    """Opens a recording. After its last run it starts again."""
    io, recorded = _load(path)
    count, runs = len(recorded), cycle(recorded)
    names = [io.input_name, *io.outputs]
    plain = ModelIO(io.input_name, io.input_shape, io.outputs, io.metadata, dict.fromkeys(names, "float32"))

    def bind(feeds: Dict[str, Array], fetches: Dict[str, Array]) -> Run:
        return lambda: _fill(list(fetches.values()), runs)

    return HostBackend("replay", f"replay of {count} runs", spec, decode, plain, bind, options)


def _fill(fetches: List[Array], runs: Iterator[List[NDArray[np.float32]]]) -> Sequence[Array]:
    for fetch, recorded in zip(fetches, next(runs)):
        np.copyto(fetch, recorded)
    return ()


def _load(path: str) -> Tuple[ModelIO, List[List[NDArray[np.float32]]]]:
    """Content of a recording: names and shapes, and the outputs of each run."""
    try:
        arrays = _arrays(read.read_bytes(path, MOST))
        text = read.parse_json_object(str(arrays.pop("io")))
        io = ModelIO(**check_fields({k: v for k, v in text.items() if k in IO_FIELDS}, IO_FIELDS, "io: ", ModelError))
        count = max(1, len(arrays) // max(1, len(io.outputs)))
        runs = [[arrays[f"{k}.{n}"] for n in range(len(io.outputs))] for k in range(count)]
    except KeyError as error:
        raise _damaged(path, f"it has no {error}") from error
    except (ValueError, MemoryError, *BROKEN) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    for array, shape in ((array, shape) for run in runs for array, shape in zip(run, io.shapes)):
        if array.shape != shape or array.dtype != np.float32:
            raise _damaged(path, f"an output is {array.shape} {array.dtype}, expected {shape} float32")
    return io, runs


def _arrays(content: bytes) -> Dict[str, NDArray[np.float32]]:
    size = sum(member.file_size for member in open_zip(content).infolist())
    if size > MOST:
        raise ValueError(f"it unpacks to more than {MOST // read.MIB} MiB")
    with np.load(BytesIO(content)) as archive:
        return {name: archive[name] for name in archive.files}


def _damaged(path: str, reason: str) -> ModelError:
    return ModelError(f"{path} is not a recording: {reason}", hint="make one with backends.replay.record")
