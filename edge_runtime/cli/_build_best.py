"""edge-build --precision best: builds what the accuracy allows, times it where a GPU is here, keeps the fastest."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Dict, List

import numpy as np

from edge_runtime import build, passport, verdict
from edge_runtime.backends import BackendOptions
from edge_runtime.build import BuildOptions, Source
from edge_runtime.cli import _common
from edge_runtime.detector import Detector
from edge_runtime.passport import Passport
from edge_runtime.plugins import load

FLOAT, QUANTISED = ("fp16",), ("int8", "int8+fp16")
IMAGE_WH = (1280, 720)


def best(source: Source, plan: Path, options: BuildOptions, command: str, max_drop: float) -> Passport:
    """Writes the fastest plan that loses at most so many points of AP; without a GPU the one that should be it."""
    candidates = allowed(source, max_drop)
    with tempfile.TemporaryDirectory(dir=plan.parent) as folder:
        made: Dict[str, Passport] = {}
        for precision in candidates:
            with _common.fraction(f"building {precision}") as told:
                new = Path(folder, f"{precision}.plan")
                made[precision] = build.build(source, new, replace(options, precision=precision), command, told)
        timed = speeds({precision: str(Path(folder, f"{precision}.plan")) for precision in candidates}, options)
        chosen = min(timed, key=lambda name: timed[name]) if timed else candidates[-1]
        figures = ", ".join(f"{name} {value:.2f} ms" for name, value in timed.items())
        print(f"{chosen} is kept: {figures or 'not timed, there is no GPU here to run them'}", file=sys.stderr)
        new = Path(folder, f"{chosen}.plan")
        os.replace(passport.beside(new), passport.beside(plan))
        os.replace(new, plan)
    return made[chosen]


def allowed(source: Source, max_drop: float) -> List[str]:
    """The precisions to try, by what the file says that INT8 costs."""
    if not source.quantised:
        return [*FLOAT]
    drop = source.drop
    if drop is None and max_drop < inf:
        print("note: the file does not say what AP INT8 costs: INT8 is left out; calibrate with labelled images, or "
              "say --max-drop inf", file=sys.stderr)  # fmt: skip
        return [*FLOAT]
    if drop is not None and drop > max_drop:
        print(f"note: INT8 costs {drop:.2f} points of AP, more than {max_drop:g}: it is left out", file=sys.stderr)
        return [*FLOAT]
    return [*FLOAT, *QUANTISED]


def speeds(plans: Dict[str, str], options: BuildOptions) -> Dict[str, float]:
    """Median milliseconds of each for a 720p image, taking turns; none where they cannot be run here."""
    if load("backends", "tensorrt").available() is not None or options.compute_capability:
        return {}
    image = np.zeros((IMAGE_WH[1], IMAGE_WH[0], 3), np.uint8)
    with ExitStack() as stack, _common.progress() as bar:
        opened = {
            name: stack.enter_context(Detector.open(path, options=BackendOptions(batch=options.batch)))
            for name, path in plans.items()
        }
        return verdict.speed(opened, image, bar("timing", verdict.WARM + verdict.ROUNDS))
