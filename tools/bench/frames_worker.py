"""Reads a video to its end and prepares each frame for a model, in the tree of $PYTHONPATH. It prints JSON.

It also runs in trees from before frames kept the pixels of their decoder, so that they can be compared.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from edge_runtime import sources
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops


def main(path: str, side: int) -> None:
    """Prints milliseconds of CPU of all threads for each frame, with preparation and without it."""
    read_all(path, side, True)
    print(json.dumps({"both": read_all(path, side, True), "reading": read_all(path, side, False)}))


def read_all(path: str, side: int, prepare: bool) -> float:
    spec, tensor = ModelSpec("yolo_v8", (side, side)), np.zeros((3, side, side), np.float32)
    source, buffer, count = sources.open(path), None, 0
    begun_s = time.process_time()
    while True:
        frame = source.read(buffer)
        if frame is None:
            break
        pixels = getattr(frame, "pixels", None)
        if prepare:
            ops.prepare_image(frame.image if pixels is None else pixels, spec, tensor)
        if pixels is None:
            buffer = frame.image  # as the ring of a pipeline: the next frame is read into the same memory
        count += 1
    spent_s = time.process_time() - begun_s
    source.close()
    return 1e3 * spent_s / count


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
