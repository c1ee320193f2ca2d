"""Annotated images: one JPEG per frame in a directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Set

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError
from edge_runtime.imaging.drawing import annotated
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sinks import SinkOptions
from edge_runtime.types import Frame, Result

HANDLES = ("/",)


def open(target: str, options: SinkOptions) -> ImagesSink:
    """Opens a directory, making it if need be.

    Raises:
        SinkError: it cannot be made.
    """
    return ImagesSink(target)


class ImagesSink:
    """Files named after the image they were found in, or by frame number: `bus.jpg`, `000123.jpg`.

    A name that this run has used before (two sources, or `a.png` beside `a.jpg`) gets a number: `000123_2.jpg`.
    Files of earlier runs are replaced.
    """

    def __init__(self, target: str) -> None:
        load_cv2()
        self.target = target
        self._folder = Path(target)
        self._used: Set[str] = set()
        self._canvas: Optional[NDArray[np.uint8]] = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "is there a file of that name, or no permission?"
            raise SinkError(f"{target!r} cannot be made a folder: {error.strerror}", hint=hint) from error

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        self._canvas = annotated(result.frame.image, result.detections, self._canvas)
        _, jpeg = load_cv2().imencode(".jpg", self._canvas)
        path = self._folder / self._name(result.frame)
        try:
            path.write_bytes(jpeg)
        except OSError as error:
            if path.is_file():
                os.unlink(path)  # half an image
            message = f"{str(path)!r} cannot be written: {error.strerror}"
            raise SinkError(message, hint="the images before this one are whole") from error

    def close(self) -> None:
        """See `Sink.close`."""

    def _name(self, frame: Frame) -> str:
        stem = Path(frame.path).stem if frame.path else f"{frame.index:06d}"
        name, number = stem, 1
        while name in self._used:
            number += 1
            name = f"{stem}_{number}"
        self._used.add(name)
        return f"{name}.jpg"
