"""edge-build --precision best: builds what the accuracy allows, times it if a GPU is here, keeps the fastest."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Dict, List

import numpy as np

from edge_runtime import build
from edge_runtime.accuracy.evidence import AGREEMENT, USE, sentence
from edge_runtime.backends import BackendOptions
from edge_runtime.build import BuildInput, BuildOptions
from edge_runtime.calibrate import verdict
from edge_runtime.cli import _progress
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.files import folders
from edge_runtime.gpu.passport import Passport
from edge_runtime.plugins import load_member

FLOAT, QUANTISED = ("fp16",), ("int8", "int8+fp16")
IMAGE_WH = (1280, 720)
WAY_OUT = "without --no-verdict, or say --max-drop inf"


def best(source: BuildInput, plan: Path, options: BuildOptions, command: str, max_drop: float) -> Passport:
    """Writes the fastest plan that loses at most `max_drop` points of AP. Without a GPU, the one that should be."""
    candidates = allowed(source, max_drop, options)
    with folders.scratch_folder(plan) as folder:
        plans = {precision: folder / f"{precision}.plan" for precision in candidates}
        made = _build(source, plans, options, command)
        timed = speeds({precision: str(plans[precision]) for precision in made}, options)
        chosen = min(timed, key=lambda name: timed[name]) if timed else list(made)[-1]
        figures = ", ".join(f"{name} {value:.2f} ms" for name, value in timed.items())
        print(f"{chosen} is kept: {figures or 'not timed, there is no GPU here to run them'}", file=sys.stderr)
        build.place(plans[chosen], plan)
    return made[chosen]


def _build(source: BuildInput, plans: Dict[str, Path], options: BuildOptions, command: str) -> Dict[str, Passport]:
    """The plans that can be built. Raises ModelError if none can."""
    made: Dict[str, Passport] = {}
    for precision, plan in plans.items():
        with _progress.fraction(f"building {precision}") as told:
            try:
                made[precision] = build.build(source, plan, replace(options, precision=precision), command, told)
            except ModelError as error:
                if precision == list(plans)[-1] and not made:
                    raise
                print(f"note: {precision} is left out: {error}", file=sys.stderr)
    return made


def allowed(source: BuildInput, max_drop: float, options: BuildOptions) -> List[str]:
    """The precisions to try: those that the GPU has, and INT8 if its cost, as the file states it, is low enough."""
    if not source.quantised:
        return [*FLOAT]
    reason = _against(source, max_drop, options)
    if reason:
        print(f"note: INT8 is left out: {reason}", file=sys.stderr)
    return [*FLOAT] if reason else [*FLOAT, *QUANTISED]


def _against(source: BuildInput, max_drop: float, options: BuildOptions) -> str:
    """Why INT8 is not tried; "" if there is no reason against it."""
    gpu = build.gpu_without_int8(options)
    if gpu:
        return f"a GPU of compute capability {gpu} has no INT8"
    if options.dla is not None:
        return "DLA takes no network with Q/DQ operators"
    if max_drop == inf:
        return ""
    found = source.evidence
    if found is None:
        return f"the file does not say what INT8 costs this network (calibrate it {WAY_OUT})"
    if found.metric == AGREEMENT:
        print("note: the file was calibrated without labels: INT8 is judged by the boxes that agree", file=sys.stderr)
    if found.answer(max_drop) == USE:
        return ""
    return f"{sentence('fp32', 'INT8', found, max_drop)} (with --max-drop {max_drop:g})"


def speeds(plans: Dict[str, str], options: BuildOptions) -> Dict[str, float]:
    """Median milliseconds of each plan for a 720p image, taking turns. Empty if they cannot be run here."""
    if load_member("backends", "tensorrt").available() is not None or options.compute_capability:
        return {}
    image = np.zeros((IMAGE_WH[1], IMAGE_WH[0], 3), np.uint8)
    with ExitStack() as stack, _progress.progress() as bar:
        opened: Dict[str, Detector] = {}
        for name, path in plans.items():
            try:
                opened[name] = stack.enter_context(Detector.open(path, options=BackendOptions(batch=options.batch)))
            except EdgeError as error:
                print(f"note: {name} is not timed: {error}", file=sys.stderr)
        return verdict.speed(opened, image, bar("timing", verdict.WARM + verdict.ROUNDS)) if opened else {}
