"""Replays recorded model outputs, in turn: pipelines and heads can be tested without a network."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import cycle
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.backends._host import HostBackend
from edge_runtime.errors import ModelError
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec

HANDLES = (".replay.npz",)
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
    data = json.loads(str(_load(path)["io"]))
    outputs = {name: tuple(shape) for name, shape in data["outputs"].items()}
    return ModelIO(data["input_name"], tuple(data["input_shape"]), outputs, data["metadata"], data["dtypes"])


def open(path: str, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions) -> Backend:
    """Opens a recording; after its last run it starts again."""
    io, arrays = read_io(path), _load(path)
    count = 1 + max(int(key.split(".")[0]) for key in arrays if key != "io")
    runs = cycle([[arrays[f"{k}.{n}"] for n in range(len(io.outputs))] for k in range(count)])
    dtypes = ["float32"] * (1 + len(io.outputs))

    def bind(feed: NDArray[np.generic], fetches: List[NDArray[np.generic]]) -> Callable[[], None]:
        return lambda: _fill(fetches, runs)

    return HostBackend(
        "replay", f"replay of {count} runs", spec, decode, (io.input_shape, io.shapes), dtypes, bind, options
    )


def _fill(fetches: List[NDArray[np.generic]], runs: Iterator[List[NDArray[np.float32]]]) -> None:
    for fetch, recorded in zip(fetches, next(runs)):
        np.copyto(fetch, recorded)


def _load(path: str) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not a recording: {error}", hint="make one with backends.replay.record") from error
