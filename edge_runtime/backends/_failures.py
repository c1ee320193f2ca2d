"""Turns the exceptions of a library that runs models into our errors, so that none of its own reaches a user."""

from __future__ import annotations

import re
from contextlib import contextmanager
from math import prod
from typing import Iterator, Sequence

import numpy as np

from edge_runtime.errors import DeviceError, EdgeError, ModelError, UsageError
from edge_runtime.machine import meminfo
from edge_runtime.model.spec import DTYPES, Shape

MEMORY = re.compile(r"out of memory|bad_alloc|failed to allocate|cannot allocate|not enough memory", re.I)
RESIZED = re.compile(  # OpenVINO says it otherwise in each version
    r"shape mismatch attempting to re-use|incompatible with|to_shape was called on a dynamic|with dynamic shape", re.I
)
PLUGIN = re.compile(r"\w*NMS\w*_TRT|BatchedNMS")  # operators that only TensorRT has
NO_PLUGIN = (
    "only TensorRT runs its NMS: edge-build builds a plan of it on a GPU; for other machines export it without:"
    " YOLOv7 `python export.py --weights FILE.pt --grid`, YOLOv6 without --end2end"
)
SIZES = "export it without its own post-processing (NMS), so that its outputs have one size"


@contextmanager
def said_of(library: str, path: str) -> Iterator[None]:
    """Turns what a library raises in the block into one of our errors.

    Raises:
        DeviceError: memory ran out.
        ModelError: anything else.
    """
    try:
        yield
    except EdgeError:
        raise
    except Exception as error:  # the libraries' exception types are not public
        raise explained(library, path, error) from error


def explained(library: str, path: str, error: BaseException) -> EdgeError:
    """The error of ours that fits the library's exception."""
    reason = " ".join(str(error).split())
    if isinstance(error, MemoryError) or MEMORY.search(reason):
        return DeviceError(f"memory ran out while {library} ran {path}", hint=SMALLER)
    if RESIZED.search(reason):
        return ModelError(f"the outputs of {path} change their size from image to image", hint=SIZES)
    fact = f"{library} cannot run {path}: {reason or type(error).__name__}"
    if PLUGIN.search(reason):
        return ModelError(fact, hint=NO_PLUGIN)
    return ModelError(fact, hint="export it again, or try another --backend")


SMALLER = "use a smaller --batch or --imgsz, fewer --threads, or close other programs"


def check_batch(asked: int, has: int) -> None:
    """Refuses a batch size that the file does not have.

    Raises:
        UsageError: the file does not have it.
    """
    if asked not in (1, has):
        raise UsageError(
            f"--batch is {asked}, the model's batch is fixed at {has}",
            hint="leave --batch out, or export the model with a dynamic batch",
        )


def check_buffers(shapes: Sequence[Shape], dtypes: Sequence[str], slots: int) -> None:
    """Refuses inputs and outputs for which no memory can be allocated.

    Raises:
        ModelError: a size or a type is unknown.
        DeviceError: there is not enough memory.
    """
    for shape, dtype in zip(shapes, dtypes):
        if min(shape, default=1) < 1:
            raise ModelError(f"the model has an output of {list(shape)}, a size that it leaves open", hint=SIZES)
        if dtype not in DTYPES:
            raise ModelError(f"the model has an output of type {dtype}", hint="export it with float32 outputs")
    needed = slots * sum(prod(shape) * np.dtype(dtype).itemsize for shape, dtype in zip(shapes, dtypes))
    free = meminfo().get("MemAvailable", needed)
    if needed > free:
        fact = f"images and results of {slots} runs take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        raise DeviceError(fact, hint=SMALLER)
