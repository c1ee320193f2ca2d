"""Head tensors with a known number of candidates, and how numpy reads them: leanly, and as tutorials do.

A scene has one object for eight candidates, jittered copies of it, so that NMS has its usual work: on photographs
YOLOv8n has 7.6 candidates per box kept at conf 0.25, YOLOv5n 11. Each reader returns what is above `conf`: boxes (left,
top, width, height in model pixels), scores, classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Tuple

import cv2
import numpy as np

from edge_runtime.heads import _anchors as anchors
from edge_runtime.model import geometry

COPIES = 8
Read = Tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass
class Scene:
    """Head tensors of one image and what is needed to read them."""

    family: str
    side: int
    classes: int
    tensors: List[np.ndarray]
    image_wh: Tuple[int, int] = (1280, 720)

    @property
    def box(self) -> geometry.Letterbox:
        return geometry.fit(self.image_wh, (self.side, self.side))


@dataclass
class Candidates:
    """Where `count` candidates lie among `rows` cells, and what they are."""

    place: np.ndarray
    cxcywh: np.ndarray
    score: np.ndarray
    label: np.ndarray


def candidates(count: int, rows: int, side: int, classes: int) -> Candidates:
    rng = np.random.default_rng(count)
    objects = -(-count // COPIES)
    which = np.arange(count) % objects
    band = (0.25 * side, 0.75 * side)  # inside the picture, not the padding
    centre = np.stack([rng.uniform(0.1 * side, 0.9 * side, objects), rng.uniform(*band, objects)], axis=1)
    size = rng.uniform(0.06 * side, 0.2 * side, (objects, 2))
    jitter = rng.normal(0, 0.04, (count, 4)) * np.tile(size[which], 2)
    cxcywh = np.concatenate([centre[which], size[which]], axis=1) + jitter
    place = np.sort(rng.choice(rows, count, replace=False))
    return Candidates(place, cxcywh, rng.permutation(np.linspace(0.3, 0.95, count)), which % classes)


def v8_planar(count: int) -> Scene:
    rng, found = np.random.default_rng(0), candidates(count, 8400, 640, 80)
    tensor = rng.uniform(0, 0.05, (1, 84, 8400)).astype(np.float32)
    tensor[0, :4] = rng.uniform(20, 600, (4, 8400))
    tensor[0, :4, found.place] = found.cxcywh
    tensor[0, 4 + found.label, found.place] = found.score
    return Scene("yolo_v8", 640, 80, [tensor])


def v5_rows(count: int) -> Scene:
    rng, found = np.random.default_rng(0), candidates(count, 10647, 416, 20)
    tensor = rng.uniform(0, 0.05, (1, 10647, 25)).astype(np.float32)
    tensor[0, :, :4] = rng.uniform(20, 400, (10647, 4))
    tensor[0, found.place, :4] = found.cxcywh
    tensor[0, found.place, 4] = 0.97
    tensor[0, found.place, 5 + found.label] = found.score / 0.97
    return Scene("yolo_v5", 416, 20, [tensor])


def raw_v3(count: int) -> Scene:
    """Maps (1, 75, n, n) of n = 52, 26 and 13; an object fills up to 2 x 2 cells of the finest."""
    rng = np.random.default_rng(0)
    maps = [rng.normal(-6, 1, (1, 75, n, n)).astype(np.float32) for n in (52, 26, 13)]
    fine = maps[0][0].reshape(3, 25, 52, 52)
    scores = rng.permutation(np.linspace(0.3, 0.95, count))
    for number, score in enumerate(scores):
        thing, copy = divmod(number, COPIES)
        x, y = thing % 25 * 2 + copy // 3 % 2, 12 + thing // 25 * 3 + copy // 6
        size = rng.normal(90, 4, 2) / anchors.COCO[0][copy % 3]
        t = fine[copy % 3, :, y, x]
        t[:5] = (*rng.normal(0, 0.3, 2), *np.log(size), logit(0.97))
        t[5 + thing % 20] = logit(score / 0.97)
    return Scene("yolo_v3", 416, 20, maps)


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _corner(cxcywh: np.ndarray) -> np.ndarray:
    return np.concatenate([cxcywh[:, :2] - cxcywh[:, 2:] / 2, cxcywh[:, 2:]], axis=1)


def _sigmoid(t: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-t))


def v8_lean(scene: Scene, conf: float) -> Read:
    t = scene.tensors[0][0]
    best = t[4:].max(axis=0)
    kept = np.flatnonzero(best > conf)
    return _corner(t[:4, kept].T), best[kept], t[4:, kept].argmax(axis=0)


def v8_idiom(scene: Scene, conf: float) -> Read:
    rows = cv2.transpose(scene.tensors[0][0])
    scores = rows[:, 4:].max(axis=1)
    rows, scores = rows[scores > conf], scores[scores > conf]
    return _corner(rows[:, :4]), scores, rows[:, 4:].argmax(axis=1)


def v5_lean(scene: Scene, conf: float) -> Read:
    rows = scene.tensors[0][0]
    rows = rows[rows[:, 4] > conf]
    return _best_class(rows, rows[:, 4:5] * rows[:, 5:], conf)


def v5_idiom(scene: Scene, conf: float) -> Read:
    rows = np.squeeze(scene.tensors[0])
    return _best_class(rows, rows[:, 4:5] * rows[:, 5:], conf)


def v3_lean(scene: Scene, conf: float) -> Read:
    parts = [_survivors(t, anchor, scene.side, logit(conf)) for t, anchor in zip(scene.tensors, anchors.COCO)]
    rows = np.concatenate(parts)
    return _best_class(rows, rows[:, 4:5] * rows[:, 5:], conf)


def v3_idiom(scene: Scene, conf: float) -> Read:
    parts = [_survivors(t, anchor, scene.side, -np.inf) for t, anchor in zip(scene.tensors, anchors.COCO)]
    rows = np.concatenate(parts)
    return _best_class(rows, rows[:, 4:5] * rows[:, 5:], conf)


def _survivors(tensor: np.ndarray, anchor: anchors.Anchors, side: int, limit: float) -> np.ndarray:
    """(n, 25) decoded rows of the cells whose objectness logit is above `limit`."""
    cells = tensor.shape[-1]
    t = tensor.reshape(3, 25, cells, cells)
    a, y, x = np.nonzero(t[:, 4] > limit)
    rows = t[a, :, y, x]
    sizes = np.exp(rows[:, 2:4]) * np.array(anchor, np.float32)[a]
    centres = (_sigmoid(rows[:, :2]) + np.stack([x, y], axis=1)) * (side / cells)
    return np.concatenate([centres, sizes, _sigmoid(rows[:, 4:])], axis=1)


def _best_class(rows: np.ndarray, scores: np.ndarray, conf: float) -> Read:
    best = scores.max(axis=1)
    kept = best > conf
    return _corner(rows[kept, :4]), best[kept], scores[kept].argmax(axis=1)


Reader = Callable[[Scene, float], Read]
HEADS: Dict[str, Tuple[Reader, Reader]] = {
    "v8": (v8_lean, v8_idiom),
    "v3 rows": (v5_lean, v5_idiom),
    "v3 raw": (v3_lean, v3_idiom),
}
