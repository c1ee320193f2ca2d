"""The accuracy of two rows of a benchmark: how much one lost against the other, with what certainty.

A row keeps the AP of the same random samples of the pictures in each run, so that the samples of two runs are pairs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from edge_runtime.accuracy import coco, evidence
from edge_runtime.accuracy.evaluate import BLIND, CONFUSION_CONF, LOOK, Evaluation
from edge_runtime.accuracy.evidence import Evidence
from edge_runtime.files import read
from edge_runtime.imaging.image_file import MOST_BYTES

FIRST, SECOND = "the first", "the second"  # results, as sentences call them
Row = Dict[str, Any]


def seen(evaluation: Evaluation, paths: Sequence[str], name: str = "") -> Row:
    """Returns what a row keeps about its accuracy: AP, its samples, and what was looked at.

    Args:
        paths: the pictures, in order.
        name: of the data set, for a study: AP by size, with intervals, is then among the figures.
    """
    found = evaluation.found
    matched = found.rows, found.truths, len(found.labels), coco.draws(len(found.rows))
    samples = coco.resampled(*matched)
    more = {"name": name, "figures": _figures(evaluation, coco.intervals(*matched))} if name else {}
    boxes = sum(int((rows[:, 4] >= CONFUSION_CONF).sum()) for rows in found.rows)
    objects = [
        [Path(path).name, _content(path), truth.xyxy.tolist(), truth.class_id.tolist(), truth.ignored.tolist()]
        for path, truth in zip(paths, found.truths)
    ]
    return {
        "value": evaluation.coco_101["AP"], "samples": [round(float(value), 6) for value in samples], "boxes": boxes,
        "pictures": len(found.rows) - found.unread, "objects": found.objects, "ap50": evaluation.coco_101["AP50"],
        "data": hashlib.sha256(json.dumps([found.labels, objects]).encode()).hexdigest(), **more,
    }  # fmt: skip


def _figures(evaluation: Evaluation, ends: Dict[str, Tuple[float, float]]) -> Dict[str, List[float]]:
    """Value, low and high end of each AP. The value may lie beyond an end, as the samples have fewer objects."""
    values = {name: evaluation.coco_101[name] for name in ends}
    return {name: [values[name], min(values[name], low), max(values[name], high)] for name, (low, high) in ends.items()}


def sentence(before: Row, after: Row, max_drop: float) -> str:
    """Returns the verdict on two rows that measure the same; "" if one has no accuracy."""
    if "accuracy" not in before or "accuracy" not in after:
        return ""
    if before.get("engine_sha256") and before.get("engine_sha256") == after.get("engine_sha256"):
        return "Both results are of the same file, so they cannot say what a change of it costs."
    if not all("ap50" in row.get("ap", ()) for row in (before, after)) or len(before["ap"]["samples"]) != len(
        after["ap"]["samples"]
    ):
        return "The results cannot say how certain their accuracy is: measure again with --data."
    if before["ap"]["data"] != after["ap"]["data"]:
        return "The results cannot say what was lost: their accuracy is of other pictures or labels."
    blind = _blind(before["ap"])
    if blind:
        return f"The results cannot say what was lost: {blind}."
    gain = after["fps"] / before["fps"] if before.get("fps") and after.get("fps") else None
    return evidence.sentence(FIRST, SECOND, _loss(before["ap"], after["ap"]), max_drop, gain)


def _blind(seen: Row) -> str:
    """Why the AP of the first says nothing of a change; "" if it does."""
    if not seen["objects"]:
        return "the labels have no object that counts"
    if seen["boxes"] and seen["ap50"] < BLIND:
        return f"the first finds almost nothing of what is labelled (AP50 {seen['ap50']:.3f}), so {LOOK}"
    return ""


def _content(path: str) -> str:
    """SHA-256 of a picture; "" if it cannot be read, which evaluation says."""
    try:
        return hashlib.sha256(read.read_bytes(path, MOST_BYTES)).hexdigest()
    except ValueError:
        return ""


def _loss(before: Row, after: Row) -> Evidence:
    drops = 100 * (np.array(before["samples"]) - np.array(after["samples"]))
    boxes = max(before["boxes"], after["boxes"])
    drop = 100 * (before["value"] - after["value"])
    return Evidence(evidence.AP, drop, *coco.interval(drops), boxes, before["pictures"])
