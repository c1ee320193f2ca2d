"""A picture and a video that are written, and read back by the library on trial."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Callable

import numpy as np
from numpy.typing import NDArray

from edge_runtime import sinks
from edge_runtime.errors import SourceError
from edge_runtime.sinks import SinkOptions, VideoOptions
from edge_runtime.sources import Source, SourceOptions
from edge_runtime.types import Detections, Frame, Result

NOTHING = Detections.from_rows(np.zeros((0, 6), np.float32))


def write_video(path: str, image: NDArray[np.uint8], codec: str) -> str:
    """Writes a video of one frame.

    Args:
        path: the file.
        image: (H, W, 3) uint8 BGR.
        codec: see `VideoOptions`.

    Returns:
        The codec and the encoder, for people.

    Raises:
        SinkError: it cannot be written.
    """
    with closing(sinks.open(path, SinkOptions(video=VideoOptions(codec=codec)))) as sink:
        sink.write(Result(Frame(image, path, 0, 0.0), NOTHING))
    return sinks.note(sink)


def read_back(path: str, image: NDArray[np.uint8], opened: Callable[[str, SourceOptions], Source]) -> None:
    """Reads a file that was written from the image, (H, W, 3) uint8.

    Raises:
        SourceError: there is no frame of its size.
    """
    with closing(opened(path, SourceOptions())) as source:
        frame = source.read()
    if frame is None or frame.image.shape != image.shape:
        raise SourceError(f"it does not read our {Path(path).suffix} file", hint="install another version")
