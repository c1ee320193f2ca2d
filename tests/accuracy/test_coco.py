"""coco_101 equals pycocotools on COCO's own files, and its published laws on small scenes."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_runtime import datasets
from edge_runtime.accuracy import coco
from edge_runtime.types import Truth


def random_detections(truths, generator, classes):
    """Boxes near the true ones and anywhere, several hundred per image at times."""
    found = []
    for truth in truths:
        count = int(generator.integers(0, 130))
        boxes = generator.uniform(0, 400, (count, 4))
        boxes[:, 2:] = boxes[:, :2] + generator.uniform(2, 200, (count, 2))
        near = truth.xyxy + generator.normal(0, 3, truth.xyxy.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        ids = np.concatenate([generator.integers(0, classes, count), truth.class_id])
        scores = np.concatenate([generator.uniform(0, 0.7, count), generator.uniform(0, 1, len(near))])
        rows = np.column_stack([np.concatenate([boxes, near]), scores, ids])
        found.append(rows.astype(np.float32))
    return found


def test_equals_pycocotools_on_its_own_files(shared, tmp_path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    listing = shared / "data" / "coco_val" / "instances.json"
    data, content = datasets.open(str(listing)), json.loads(listing.read_text(encoding="utf-8"))
    assert any(truth.crowd.any() for truth in data.truths), "crowds are part of the protocol"
    found = random_detections(data.truths, np.random.default_rng(0), len(data.labels))
    categories = sorted(category["id"] for category in content["categories"])
    results = [
        {"image_id": image["id"], "category_id": categories[int(row[5])], "score": float(row[4]),
         "bbox": [*map(float, row[:2]), float(row[2]) - float(row[0]), float(row[3]) - float(row[1])]}
        for image, rows in zip(content["images"], found) for row in rows
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(listing))
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ours, per_class = coco.average_precision(found, data.truths, len(data.labels))
    assert 0.1 < ours["AP"] < 0.9
    np.testing.assert_allclose(list(ours.values()), evaluation.stats[:6], atol=1e-12)
    known = per_class[:, 0] >= 0
    assert per_class[known, 0].mean() == pytest.approx(ours["AP"]) and known.sum() == 80 - (~known).sum()


def scene(boxes, ids):
    return Truth(np.array(boxes, float).reshape(-1, 4), np.array(ids, int), np.zeros(len(ids), bool))


def test_perfect_nothing_and_sizes():
    truth = scene([[0, 0, 20, 20], [100, 100, 300, 300]], [0, 2])
    perfect = np.array([[0, 0, 20, 20, 0.9, 0], [100, 100, 300, 300, 0.8, 2]], np.float32)
    summary, per_class = coco.average_precision([perfect], [truth], 3)
    assert summary["AP"] == summary["APs"] == summary["APl"] == pytest.approx(1.0) and summary["APm"] == -1
    np.testing.assert_allclose(per_class, [[1, 1], [-1, -1], [1, 1]])
    summary, _ = coco.average_precision([perfect[:0]], [truth], 3)
    assert summary["AP"] == 0.0


def test_evaluations_side_by_side_leave_stdout_as_it_was():
    """pycocotools prints. What it prints is dropped, and nothing else."""
    truth, before = scene([[0, 0, 20, 20]], [0]), sys.stdout
    perfect = [np.array([[0, 0, 20, 20, 0.9, 0]], np.float32)] * 40
    with ThreadPoolExecutor(6) as pool:
        aps = [pool.submit(coco.average_precision, perfect, [truth] * 40, 1) for _ in range(24)]
        assert [future.result()[0]["AP"] for future in aps] == pytest.approx([1.0] * 24)
    assert sys.stdout is before
