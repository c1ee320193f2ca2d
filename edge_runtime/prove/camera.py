"""Reads thirty frames of a camera."""

from __future__ import annotations

from time import perf_counter
from typing import List

import numpy as np

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.prove.steps import Skip, Task

FRAMES = 30
BLANK = 2.0  # least standard deviation of grey levels


def prove(task: Task) -> str:
    """Returns the frame size and rate.

    Raises:
        Skip: there is no camera.
        SourceError: it cannot be opened, or gives too few frames.
    """
    if not task.argument:
        raise Skip("there is no camera: no /dev/video* that gives pictures")
    source = sources.open(task.argument)
    try:
        task.figures["description"] = source.description
        stamps: List[float] = []
        contrast = 0.0
        while len(stamps) < FRAMES:
            frame = source.read()
            if frame is None:
                raise SourceError(f"it ended after {len(stamps)} frames", hint="check the cable, and dmesg")
            stamps.append(perf_counter())
            contrast = float(np.std(frame.image))
        task.figures.update(frames=len(stamps), broken=len(source.skipped), contrast=round(contrast, 1))
    finally:
        source.close()
    rate = (len(stamps) - 1) / max(stamps[-1] - stamps[0], 1e-9)
    task.figures["fps"] = round(rate, 1)
    blank = "; all of one colour: is the lens covered?" if contrast < BLANK else ""
    return f"{FRAMES} frames at {rate:.1f} per second, {source.description}{blank}"
