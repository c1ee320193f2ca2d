"""Preprocessing: one native pass against cv2.resize + copyMakeBorder + dnn.blobFromImage, one thread each."""

from __future__ import annotations

from typing import Dict, Tuple

import cv2
import numpy as np

from bench.report import Table
from bench.timing import Case, Samples, Settings, interleave, kernel, mid, ratio, settle_malloc, values
from edge_runtime.model import geometry
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops
from edge_runtime.native.pictures import shapes
from edge_runtime.types import Pixels

SIZES = [((1280, 720), 416), ((1280, 720), 640), ((1920, 1080), 416), ((1920, 1080), 640)]
GOALS = {((1280, 720), 416): 3.0, ((1280, 720), 640): 2.3}
RING = 8  # frames: 22 or 50 MB, so that they come from memory and not from the cache
BASE = "cv2"
FORMATS = ("nv12", "i420", "yuyv")  # of hardware, of decoders, of cameras


def run(settings: Settings) -> Table:
    cv2.setNumThreads(1)
    settle_malloc()
    table = Table("Preprocessing, one thread", ("size", "how", "us median", "us min", "times cv2", "wanted"))
    for image_wh, side in SIZES:
        title = f"preprocess {_name(image_wh, side)}"
        samples = interleave(title, cases(image_wh, side), settings.rounds, settings.progress)
        for name in samples:
            _add(table, samples, name, image_wh, side)
    table.notes += [
        f"uint8 BGR frames (a ring of {RING}) to float32 (3, side, side) RGB, letterboxed, divided by 255.",
        "from nv12, i420, yuyv: the pixels as a decoder or camera gives them; cv2 and the others begin with BGR.",
        f"cv2 is resize, copyMakeBorder and dnn.blobFromImage, OpenCV {cv2.__version__} with setNumThreads(1).",
        "ours writes into a buffer that is there; blobFromImage makes one, which is how it is used.",
        f"largest difference between the two: {difference((1280, 720), 640) * 255:.2f} / 255 (cv2 rounds to levels).",
    ]
    return table


def cases(image_wh: Tuple[int, int], side: int) -> Dict[str, Case]:
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 256, (image_wh[1], image_wh[0], 3), np.uint8) for _ in range(RING)]
    spec, box = _placement(image_wh, side)
    out = np.zeros((3, side, side), np.float32)
    ours = {
        f"ours, {simd}": kernel(lambda k, simd=simd: ops.preprocess(frames[k], spec, box, out, simd), RING)
        for simd in ops.simd_levels()
    }
    pixels = {format: [_pixels(format, image_wh, rng) for _ in range(RING)] for format in FORMATS}
    for format, pictures in pixels.items():
        ours[f"ours, from {format}"] = kernel(lambda k, p=pictures: ops.preprocess(p[k], spec, box, out), RING)
    return {BASE: kernel(lambda k: with_cv2(frames[k], box, side), RING), **ours}


def _pixels(format: str, image_wh: Tuple[int, int], rng: np.random.Generator) -> Pixels:
    planes = [rng.integers(0, 256, shape, np.uint8) for shape in shapes(*image_wh)[format]]
    return Pixels(format, tuple(planes), *image_wh)


def with_cv2(image: np.ndarray, box: geometry.Letterbox, side: int) -> np.ndarray:
    resized = cv2.resize(image, (box.width, box.height), interpolation=cv2.INTER_LINEAR)
    right, below = side - box.width - box.pad_x, side - box.height - box.pad_y
    border = (box.pad_y, below, box.pad_x, right)
    padded = cv2.copyMakeBorder(resized, *border, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return cv2.dnn.blobFromImage(padded, 1 / 255, swapRB=True)


def difference(image_wh: Tuple[int, int], side: int) -> float:
    """Largest difference of the two results on a random image, 0..1."""
    image = np.random.default_rng(2).integers(0, 256, (image_wh[1], image_wh[0], 3), np.uint8)
    spec, box = _placement(image_wh, side)
    out = np.zeros((3, side, side), np.float32)
    ops.preprocess(image, spec, box, out)
    return float(np.abs(out - with_cv2(image, box, side)[0]).max())


def _placement(image_wh: Tuple[int, int], side: int) -> Tuple[ModelSpec, geometry.Letterbox]:
    spec = ModelSpec("yolo_v8", (side, side))
    return spec, geometry.fit(image_wh, spec.input_wh, spec.resize)


def _add(table: Table, samples: Samples, name: str, image_wh: Tuple[int, int], side: int) -> None:
    median_us, best_us = mid(samples, name, "us"), min(values(samples, name, "us"))
    times = 1 / ratio(samples, name, BASE, "us")
    goal = GOALS.get((image_wh, side)) if name == f"ours, {ops.simd_levels()[0]}" else None
    wanted = "" if goal is None else f"{goal:g}x {'ok' if times >= goal else 'MISSED'}"
    table.rows.append((_name(image_wh, side), name, f"{median_us:.0f}", f"{best_us:.0f}", f"{times:.2f}", wanted))
    table.data.append({"size": _name(image_wh, side), "how": name, "us_median": median_us, "us_min": best_us,
                       "times_cv2": times, "wanted": goal})  # fmt: skip


def _name(image_wh: Tuple[int, int], side: int) -> str:
    return f"{image_wh[0]}x{image_wh[1]} -> {side}"
