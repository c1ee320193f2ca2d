"""Writes tests/heads/golden/*.npz: random head tensors and the boxes that an independent implementation finds in them.

    python tools/make_golden.py [NAME ...]

`ssd_torchvision` is torchvision's own postprocessing and needs torch and torchvision; the others are scalar loops
straight from the formulas and need numpy only. Each file holds `spec` (ModelSpec as JSON), `conf`, `output0` ... in
the order of the model's outputs, and `rows`: every candidate above `conf` as [x1, y1, x2, y2, score, class], clipped
to the input and not empty then, best first, nothing suppressed.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

import golden_faces
import numpy as np
from golden_parts import WH, Candidates, Golden, around, logits, sigmoid, softmax

from edge_runtime.model.spec import ModelSpec

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "heads" / "golden"
ROWS = 80

V3_ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]
V2_ANCHORS = [1.08, 1.19, 3.42, 4.41, 6.63, 11.38, 9.42, 5.11, 16.62, 10.52]


def anchored(outputs: List[np.ndarray], anchors: List[List[float]], one: Callable[..., object]) -> Candidates:
    """Walks planar maps [A * K, h, w]; `one(t, x, y, stride, pw, ph)` reads one candidate."""
    for output, flat in zip(outputs, anchors):
        count = len(flat) // 2
        size = output.shape[1] // count
        for a in range(count):
            for y in range(output.shape[2]):
                for x in range(output.shape[3]):
                    t = [float(output[0, a * size + k, y, x]) for k in range(size)]
                    yield one(t, x, y, WH[0] // output.shape[3], flat[2 * a], flat[2 * a + 1])  # type: ignore[misc]


def yolo_v2() -> Golden:
    def one(t, x, y, stride, pw, ph):
        box = around((sigmoid(t[0]) + x) * stride, (sigmoid(t[1]) + y) * stride,
                     pw * math.exp(t[2]) * stride, ph * math.exp(t[3]) * stride)  # fmt: skip
        return box, [sigmoid(t[4]) * p for p in softmax(t[5:])]

    spec = ModelSpec("yolo_v2", WH, ("a", "b", "c"))
    return spec, logits(1, (5 * 8, 1, 2)), lambda outputs: anchored(outputs, [V2_ANCHORS], one)


def yolo_v3() -> Golden:
    scale = {8: 1.2, 16: 1.1, 32: 1.05}

    def one(t, x, y, stride, pw, ph):
        alpha = scale[stride]
        cx = (alpha * sigmoid(t[0]) - (alpha - 1) / 2 + x) * stride
        cy = (alpha * sigmoid(t[1]) - (alpha - 1) / 2 + y) * stride
        return around(cx, cy, pw * math.exp(t[2]), ph * math.exp(t[3])), [sigmoid(t[4]) * sigmoid(c) for c in t[5:]]

    spec = ModelSpec("yolo_v3", WH, ("a", "b", "c"), scale_xy=tuple(scale.values()))
    outputs = logits(2, (24, 4, 8), (24, 2, 4), (24, 1, 2))
    return spec, outputs[::-1], lambda found: anchored(found[::-1], V3_ANCHORS, one)


def yolo_v5_raw() -> Golden:
    def one(t, x, y, stride, pw, ph):
        box = around((2 * sigmoid(t[0]) - 0.5 + x) * stride, (2 * sigmoid(t[1]) - 0.5 + y) * stride,
                     pw * (2 * sigmoid(t[2])) ** 2, ph * (2 * sigmoid(t[3])) ** 2)  # fmt: skip
        return box, [sigmoid(t[4]) * sigmoid(c) for c in t[5:]]

    spec = ModelSpec("yolo_v5", WH, ("a", "b", "c"))
    outputs = logits(3, (24, 4, 8), (24, 2, 4), (24, 1, 2))
    return spec, outputs, lambda found: anchored(found, V3_ANCHORS, one)


def yolo_v8_raw() -> Golden:
    bins = 4

    def one(t, x, y, stride, *_):
        sides = [sum(i * p for i, p in enumerate(softmax(t[s * bins : (s + 1) * bins]))) for s in range(4)]
        left, top, right, bottom = (side * stride for side in sides)
        cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
        return (cx - left, cy - top, cx + right, cy + bottom), [sigmoid(c) for c in t[4 * bins :]]

    spec = ModelSpec("yolo_v8", WH, ("a", "b", "c"))
    outputs = logits(4, (19, 1, 2), (19, 4, 8), (19, 2, 4))
    return spec, outputs, lambda found: anchored(found, [[0, 0]] * 3, one)


def efficientdet() -> Golden:
    size_wh = (72, 32)  # sides that the coarse strides do not divide

    def walk(outputs: List[np.ndarray]) -> Candidates:
        for level in range(5):
            scores, boxes = outputs[level][0], outputs[5 + level][0]
            height, width = boxes.shape[1:]
            cell_w, cell_h = size_wh[0] / width, size_wh[1] / height
            for y in range(height):
                for x in range(width):
                    for a in range(9):
                        grow = 4 * 2 ** (a // 3 / 3)
                        aw = grow * cell_w * (1, 1.4, 0.7)[a % 3]
                        ah = grow * cell_h * (1, 0.7, 1.4)[a % 3]
                        ty, tx, th, tw = (float(boxes[4 * a + k, y, x]) for k in range(4))
                        cx, cy = tx * aw + (x + 0.5) * cell_w, ty * ah + (y + 0.5) * cell_h
                        classes = [sigmoid(float(scores[2 * a + c, y, x])) for c in range(2)]
                        yield around(cx, cy, aw * math.exp(tw), ah * math.exp(th)), classes

    sides = [(4, 9), (2, 5), (1, 3), (1, 2), (1, 1)]
    outputs = logits(5, *[(18, *side) for side in sides], *[(36, *side) for side in sides])
    return ModelSpec("efficientdet", size_wh, ("a", "b")), outputs, walk


def ssd_tensorflow() -> Golden:
    def walk(outputs: List[np.ndarray]) -> Candidates:
        boxes, scores, row = outputs[0][0], outputs[1][0], 0
        scales = [0.2 + 0.15 * i for i in range(6)] + [1.0]
        for level, (height, width) in enumerate([(2, 4), (1, 2), (1, 1), (1, 1), (1, 1), (1, 1)]):
            shapes = [(scales[level], ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)]
            shapes.append((math.sqrt(scales[level] * scales[level + 1]), 1.0))
            for y in range(height):
                for x in range(width):
                    for scale, ratio in shapes if level else [(0.1, 1.0), (0.2, 2.0), (0.2, 0.5)]:
                        pw, ph = (scale * min(WH) * math.sqrt(ratio) ** sign for sign in (1, -1))
                        ty, tx, th, tw = (float(v) for v in boxes[row])
                        cx = (x + 0.5) / width * WH[0] + tx / 10 * pw
                        cy = (y + 0.5) / height * WH[1] + ty / 10 * ph
                        classes = [sigmoid(float(c)) for c in scores[row][1:]]
                        yield around(cx, cy, pw * math.exp(tw / 5), ph * math.exp(th / 5)), classes
                        row += 1

    count = 8 * 3 + (2 + 4) * 6
    return ModelSpec("ssd", WH, ("a", "b")), logits(6, (count, 4), (count, 3)), walk


def ssd_torchvision() -> Golden:
    import torch
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
    from torchvision.models.detection.image_list import ImageList
    from torchvision.models.detection.ssd import SSD

    def walk(outputs: List[np.ndarray]) -> Candidates:
        width, height = WH
        priors = DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.2, max_ratio=0.95)
        strides = (16, 32, 64, 128, 256, 512)
        features = [torch.zeros(1, 1, -(-height // s), -(-width // s)) for s in strides]
        images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
        net = SSD(
            torch.nn.Identity(), priors, (width, height), outputs[1].shape[2], head=torch.nn.Identity(),
            score_thresh=0.0, nms_thresh=1.0, detections_per_img=10**6, topk_candidates=10**6,
        )  # fmt: skip
        heads = {"bbox_regression": torch.from_numpy(outputs[0]), "cls_logits": torch.from_numpy(outputs[1])}
        (found,) = net.postprocess_detections(heads, priors(images, features), images.image_sizes)
        for box, score, label in zip(found["boxes"].tolist(), found["scores"].tolist(), found["labels"].tolist()):
            yield tuple(box), [score if label - 1 == c else 0.0 for c in range(outputs[1].shape[2] - 1)]

    count = (8 + 2 + 4) * 6
    return ModelSpec("ssd", WH, ("a", "b", "c", "d")), logits(7, (count, 4), (count, 5)), walk


def best_rows(candidates: Candidates, input_wh: Tuple[int, int]) -> Tuple[float, np.ndarray]:
    """(conf, rows): the ROWS best and a threshold between the last of them and the next."""
    rows = [[*box, score, c] for box, scores in candidates for c, score in enumerate(scores)]
    rows.sort(key=lambda row: -row[4])
    conf = (rows[ROWS - 1][4] + rows[ROWS][4]) / 2 if len(rows) > ROWS else rows[-1][4] / 2
    kept = np.array(rows[:ROWS], np.float32)
    kept[:, :4] = np.clip(kept[:, :4], 0, input_wh * 2)
    return conf, kept[(kept[:, 2] > kept[:, 0]) & (kept[:, 3] > kept[:, 1])]


GOLDEN: Dict[str, Callable[[], Golden]] = {
    make.__name__: make
    for make in (
        yolo_v2,
        yolo_v3,
        yolo_v5_raw,
        yolo_v8_raw,
        efficientdet,
        ssd_tensorflow,
        ssd_torchvision,
        *golden_faces.MAKERS,
    )
}


def main(names: Sequence[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or GOLDEN:
        spec, outputs, reference = GOLDEN[name]()
        conf, rows = best_rows(reference(outputs), spec.input_wh)
        tensors = {f"output{i}": output.astype(np.float16) for i, output in enumerate(outputs)}
        path = FOLDER / f"{name}.npz"
        np.savez_compressed(path, spec=np.array(spec.to_json()), conf=conf, rows=rows, **tensors)
        print(f"{path.relative_to(FOLDER.parents[2])}: {len(rows)} rows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
