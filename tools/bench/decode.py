"""Decode + NMS + letterbox undo + clip: ops.Decoder against lean numpy and the idiom of tutorials, one thread."""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

import cv2
import numpy as np

from bench.report import Table
from bench.scenes import HEADS, Scene, raw_v3, v5_rows, v8_planar
from bench.timing import Case, Samples, Settings, interleave, kernel, mid, ratio, settle_malloc, values
from edge_runtime import heads
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops

COLUMNS = ("heads", "candidates", "kept", "ours us", "lean us", "tutorial us", "times lean", "times tutorial", "wanted")
COUNTS = (5, 50, 300, 2000)
LIMITS = Thresholds(conf=0.25, iou=0.45, max_det=300)
LEAN, IDIOM, OURS = "lean numpy", "tutorial", "ours"
GOALS = {("v8", 50): {LEAN: 2.5, IDIOM: 10.0}, ("v8", 2000): {LEAN: 15.0, IDIOM: 15.0}, ("v3 raw", 50): {LEAN: 10.0}}
LAYOUTS: Dict[str, Tuple[str, Callable[[int], Scene]]] = {
    "v8": ("yolo_v8 [1,84,8400]", v8_planar),
    "v3 rows": ("YOLOv3 decoded [1,10647,25]", v5_rows),
    "v3 raw": ("YOLOv3 raw, 3 maps of 75", raw_v3),
}


def run(settings: Settings) -> Table:
    cv2.setNumThreads(1)
    settle_malloc()
    table = Table("Decode and NMS, one thread", COLUMNS)
    for layout, (title, build) in LAYOUTS.items():
        for count in COUNTS:
            scene = build(count)
            calls = contenders(layout, scene)
            kept = agree(calls)
            cases: Dict[str, Case] = {name: kernel(lambda _, call=call: call()) for name, call in calls.items()}
            samples = interleave(f"decode {title}, {count}", cases, settings.rounds, settings.progress)
            _add(table, samples, layout, count, kept)
    table.notes += [
        f"conf {LIMITS.conf}, iou {LIMITS.iou}, max_det {LIMITS.max_det}, class-aware NMS; all keep the same boxes"
        " (checked); us are medians.",
        "lean numpy: best class (v8) or objectness (v3, on its logit) first, only survivors are decoded, then"
        " cv2.dnn.NMSBoxesBatched.",
        "tutorial: everything is decoded and transposed into rows, survivors become a Python list of boxes, then"
        " cv2.dnn.NMSBoxes on boxes moved apart by class. Tutorials that walk the rows in Python are slower still; with"
        " a transposed view in place of rows, the v8 idiom costs no more than lean numpy.",
    ]
    return table


def contenders(layout: str, scene: Scene) -> Dict[str, Callable[[], np.ndarray]]:
    """Three functions that give (n, 6) rows in image pixels."""
    lean, idiom = HEADS[layout]
    return {
        OURS: native(scene),
        LEAN: lambda: _batched(scene, *lean(scene, LIMITS.conf)),
        IDIOM: lambda: _listed(scene, *idiom(scene, LIMITS.conf)),
    }


def native(scene: Scene) -> Callable[[], np.ndarray]:
    spec = ModelSpec(scene.family, (scene.side, scene.side), tuple(str(k) for k in range(scene.classes)))
    shapes = {str(n): tensor.shape for n, tensor in enumerate(scene.tensors)}
    io = ModelIO("images", (1, 3, scene.side, scene.side), shapes)
    description = heads.load_head(scene.family).describe(io, spec)
    assert description is not None
    decoder = ops.Decoder(description, [tensor.shape for tensor in scene.tensors])
    frames = np.array([ops.frame_row(scene.box, scene.image_wh)], np.float64)
    mask = decoder.class_mask(range(scene.classes))
    boxes, counts = np.zeros((1, LIMITS.max_det, 6), np.float32), np.zeros(1, np.int32)

    def call() -> np.ndarray:
        decoder(scene.tensors, frames, LIMITS, mask, boxes, counts)
        return boxes[0, : counts[0]]

    return call


def agree(calls: Dict[str, Callable[[], np.ndarray]]) -> int:
    """How many boxes all keep; a comparison of different results would say nothing."""
    rows = {name: call().copy() for name, call in calls.items()}
    counts = {name: len(row) for name, row in rows.items()}
    assert len(set(counts.values())) == 1, f"kept counts differ: {counts}"
    for name, row in rows.items():
        assert np.allclose(row, rows[OURS], atol=0.05), f"boxes of {name} differ from ours"
    return counts[OURS]


def _batched(scene: Scene, boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, classes, LIMITS.conf, LIMITS.iou)
    return _finish(scene, boxes, scores, classes, np.asarray(kept, int).ravel())


def _listed(scene: Scene, boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    apart = boxes.copy()
    apart[:, :2] += classes[:, None] * 4096.0
    kept = cv2.dnn.NMSBoxes(apart.tolist(), scores.tolist(), LIMITS.conf, LIMITS.iou)
    return _finish(scene, boxes, scores, classes, np.asarray(kept, int).ravel())


def _finish(scene: Scene, boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Left, top, width, height in model pixels to corners in image pixels, best first."""
    kept = kept[np.argsort(-scores[kept], kind="stable")][: LIMITS.max_det]
    box, (width, height) = scene.box, scene.image_wh
    corners = np.concatenate([boxes[kept, :2], boxes[kept, :2] + boxes[kept, 2:]], axis=1)
    corners = (corners - (box.pad_x, box.pad_y) * 2) / ((box.scale_x, box.scale_y) * 2)
    corners = np.clip(corners, 0, (width, height) * 2)
    return np.concatenate([corners, scores[kept, None], classes[kept, None]], axis=1)


def _add(table: Table, samples: Samples, layout: str, count: int, kept: int) -> None:
    us = {name: mid(samples, name, "us") for name in samples}
    times = {name: ratio(samples, name, OURS, "us") for name in (LEAN, IDIOM)}
    goals = GOALS.get((layout, count), {})
    wanted: List[str] = [f"{name} {g:g}x {'ok' if times[name] >= g else 'MISSED'}" for name, g in goals.items()]
    figures = [f"{us[OURS]:.1f}", f"{us[LEAN]:.0f}", f"{us[IDIOM]:.0f}", f"{times[LEAN]:.1f}", f"{times[IDIOM]:.1f}"]
    table.rows.append((LAYOUTS[layout][0], str(count), str(kept), *figures, ", ".join(wanted)))
    best = {name: min(values(samples, name, "us")) for name in samples}
    table.data.append({"heads": layout, "candidates": count, "kept": kept, "us_median": us, "us_min": best,
                       "times": times, "wanted": goals})  # fmt: skip
