"""Writes annotated images: one JPEG per frame in a directory."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError, UsageError
from edge_runtime.files.atomic import replace_file
from edge_runtime.files.lock import locked
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._drawn import drawn
from edge_runtime.sinks._names import FrameNames
from edge_runtime.types import Result

HANDLES = ("/",)


def open(target: str, options: SinkOptions) -> ImagesSink:
    """Opens a directory. The first image creates it if it does not exist.

    Raises:
        SinkError: it cannot be created or written.
        UsageError: another run writes into it.
    """
    return ImagesSink(target)


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`."""
    load_cv2()
    return ""


class ImagesSink:
    """Names files after the image file, or by frame number: `bus.jpg`, `000123.jpg`.

    With several sources, the name of the source comes first: `left_000123.jpg`. Another picture of the same name
    (`a.png` beside `a.jpg`) gets a number: `a_2.jpg`. An image appears in one step, complete. It replaces that of an
    earlier run.
    """

    def __init__(self, target: str) -> None:
        load_cv2()
        self.target = target
        self._folder = Path(target)
        self._names = FrameNames()
        self._begun = False
        self._canvas: Optional[NDArray[np.uint8]] = None
        self._check()
        self._open = ExitStack()
        self._open.enter_context(locked(target))

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`."""
        self._names = FrameNames(list(rates))

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        self._canvas = drawn(result, self._canvas)
        _, jpeg = load_cv2().imencode(".jpg", self._canvas)
        if not self._begun:
            self._make()
        self._put(self._folder / f"{self._names.name(result.frame)}.jpg", jpeg.tobytes())

    def close(self) -> None:
        """See `Sink.close`. Without any frame, no folder is created."""
        self._open.close()

    def _check(self) -> None:
        above = self._folder
        while not os.path.lexists(above):
            above = above.parent
        if not above.is_dir():
            hint = "is there a file of that name?"
            raise SinkError(f"{self.target!r} cannot be made a folder: {above} is a file", hint=hint)
        if not os.access(above, os.W_OK | os.X_OK):
            raise SinkError(f"{self.target!r} cannot be written to", hint=f"you may not write in {above}")

    def _make(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "does a file have that name, or is the permission missing?"
            raise SinkError(f"{self.target!r} cannot be made a folder: {error.strerror}", hint=hint) from error
        self._begun = True

    def _put(self, path: Path, jpeg: bytes) -> None:
        try:
            replace_file(path, jpeg, durable=False)
        except UsageError as error:
            here = self._folder.is_dir()
            hint = "the images before this one are whole" if here else "leave the folder in place while it runs"
            raise SinkError(str(error), hint=hint) from error
