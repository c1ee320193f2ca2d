"""kernels.cu compiled for the host, and called as the device would be."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, List, Sequence

import numpy as np
from numpy.typing import NDArray

import edge_runtime
from edge_runtime.gpu import packing
from edge_runtime.model import geometry
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native.pictures import planes_of, size_of
from edge_runtime.types import Images

HERE = Path(__file__).parent
CSRC = Path(edge_runtime.__file__).parent / "native" / "csrc"
FLAGS = "-std=c++17 -O1 -ffp-contract=off -fno-math-errno -Wall -Wextra -Werror -pthread -shared -fPIC"
THREADS = 64  # of the block that suppresses; the device has 1024
Floats = NDArray[np.float32]


@lru_cache(maxsize=None)
def library(csrc: Path = CSRC) -> ctypes.CDLL:
    """Compiled once a process, from this folder of sources."""
    with tempfile.TemporaryDirectory() as folder:
        return ctypes.CDLL(str(compiled(Path(folder, "kernels.so"), csrc)))


def compiled(target: Path, csrc: Path = CSRC) -> Path:
    """The library as a file; $EDGE_KERNEL_FLAGS adds a sanitizer's."""
    flags = [*shlex.split(FLAGS), *shlex.split(os.environ.get("EDGE_KERNEL_FLAGS", ""))]
    command = [os.environ.get("CXX", "g++"), *flags, "-I", str(csrc), "-I", str(HERE), "-o", str(target)]
    subprocess.run([*command, str(HERE / "launch.cpp")], check=True)
    return target


def letterbox(images: Images, spec: ModelSpec, half: bool = False) -> NDArray[Any]:
    """(B, 3, H, W) of pictures of any sizes and formats."""
    width, height = spec.input_wh
    words = np.array([
        packing.pack_picture(image, *zip(*((plane.ctypes.data, plane.strides[0]) for plane in planes_of(image))),
                             geometry.fit(size_of(image), spec.input_wh, spec.resize))
        for image in images
    ], np.int64)  # fmt: skip
    out = np.full((len(images), 3, height, width), np.nan, np.float16 if half else np.float32)
    normalisation = packing.normalisation(spec)
    library().host_letterbox(
        _at(words), _at(normalisation), _at(out), width, height, spec.pad_value, int(spec.color == "rgb"),
        len(images), int(half),
    )  # fmt: skip
    return out


def widen(halves: NDArray[np.float16]) -> Floats:
    """float32 of float16."""
    out = np.full(halves.shape, np.nan, np.float32)
    library().host_widen(_at(halves), _at(out), halves.size)
    return out


def from_whole(numbers: NDArray[np.generic]) -> Floats:
    """float32 of int32 or int64."""
    out = np.full(numbers.shape, np.nan, np.float32)
    getattr(library(), f"host_from_{numbers.dtype}")(_at(numbers), _at(out), numbers.size)
    return out


def decode(
    spec: DecodeSpec,
    tensors: Sequence[Floats],
    thresholds: Thresholds,
    frame: Sequence[float],
    mask: NDArray[np.uint8],
    threads: int = THREADS,
) -> List[Floats]:
    """Rows of each image."""
    batch = len(tensors[0])
    words, numbers = packing.pack_decode(spec, thresholds)
    pointers = np.array([tensor.ctypes.data for tensor in tensors], np.int64)
    strides = np.array([tensor[0].size for tensor in tensors], np.int64)
    frames = np.array([frame] * batch, np.float64)
    rows, found = np.full((batch, thresholds.max_det, 6), np.nan, np.float32), np.full(batch, -1, np.int32)
    room = packing.candidate_capacity(spec, thresholds)
    candidates, counts = np.zeros(batch * room * packing.CANDIDATE_BYTES, np.uint8), np.zeros(batch, np.int32)
    library().host_candidates(
        _at(words), _at(numbers), _at(pointers), _at(strides), len(tensors), _at(mask), packing.boxes(spec),
        _at(candidates), room, _at(counts), batch,
    )  # fmt: skip
    library().host_suppress(
        _at(words), _at(numbers), _at(candidates), room, _at(counts), _at(frames), _at(rows), _at(found), batch, threads
    )
    return [rows[image, : found[image]] for image in range(batch)]


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
