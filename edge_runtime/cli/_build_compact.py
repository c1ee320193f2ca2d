"""edge-build's compaction: the file to build from, without what does nothing."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np

from edge_runtime.calibrate import runs
from edge_runtime.cli import _build_half
from edge_runtime.errors import UsageError
from edge_runtime.files import atomic
from edge_runtime.graph.compact import compact, flags
from edge_runtime.model import inputs, onnx_file
from edge_runtime.model.spec import ModelIO, ModelSpec

MOST = 4  # pictures that are compared


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of compaction."""
    parser.add_argument(
        "--compact", action="store_true", help="remove what does nothing in a pruned network; checked before the build"
    )
    flags.add_flags(parser)


@contextlib.contextmanager
def file_to_build(args: argparse.Namespace, spec: ModelSpec) -> Iterator[str]:
    """The path of the model: the user's file, or with --compact a smaller one, which is there for a while.

    Raises:
        BackendUnavailable: ONNX Runtime is not installed.
        ModelError: the network cannot be compacted, or the result is not the same.
        SourceError: a picture cannot be read.
        UsageError: --tolerance or --multiple is out of range, or there is no --compact.
    """
    if not args.compact:
        if (args.tolerance, args.multiple) != (None, None):
            fact = "--tolerance and --multiple are limits of --compact, which is not there"
            raise UsageError(fact, hint="say --compact, too, or leave them out")
        yield args.engine
        return
    feeds = _feeds(args, spec, onnx_file.read_io(args.engine, spec.input_wh))
    made, report = compact(onnx_file.load_whole(args.engine), feeds, spec.input_wh, *flags.limits(args))
    print("\n".join(f"compacted: {line}" for line in report.lines()), file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(args.engine).name
        atomic.replace_file(path, made.SerializeToString())
        yield str(path)


def _feeds(args: argparse.Namespace, spec: ModelSpec, io: ModelIO) -> List[Dict[str, Any]]:
    """A few pictures as the network's inputs."""
    paths = _build_half.pictures(args.images or args.calib).paths[:MOST]
    with ThreadPoolExecutor(2) as pool:
        return [
            {io.input_name: _typed(tensor, io), **inputs.given(io)} for _, tensor in runs.prepared(paths, spec, pool)
        ]


def _typed(tensor: runs.Floats, io: ModelIO) -> Any:
    """(B, 3, H, W) float32 in the type and the order of axes that the file wants."""
    images = np.repeat(tensor, io.input_shape[0], axis=0)
    kind = np.dtype(io.dtypes[io.input_name])
    typed = (np.clip(np.rint(images), 0, 255) if kind.kind != "f" else images).astype(kind)
    return typed.transpose(0, 2, 3, 1) if io.channels_last else typed
