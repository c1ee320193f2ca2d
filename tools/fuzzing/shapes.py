"""Shapes of outputs as each family has them, without the batch axis, and what exporters and mistakes make of them."""

from __future__ import annotations

import random
from math import prod
from typing import Callable, Dict, List, Sequence, Tuple

Shape = Tuple[int, ...]
WH = Tuple[int, int]
YOLO, FIVE = (8, 16, 32), (8, 16, 32, 64, 128)
SSD = (16, 32, 64, 128, 256, 512)


def _grid(wh: WH, stride: int) -> WH:
    return -(-wh[0] // stride), -(-wh[1] // stride)


def _cells(wh: WH, strides: Sequence[int] = YOLO) -> int:
    return sum(prod(_grid(wh, stride)) for stride in strides)


def _maps(wh: WH, channels: int, strides: Sequence[int] = YOLO) -> List[Shape]:
    return [(channels, *reversed(_grid(wh, stride))) for stride in strides]


def _per_level(wh: WH, columns: int, strides: Sequence[int] = YOLO) -> List[Shape]:
    return [(prod(_grid(wh, stride)), columns) for stride in strides]


def _faces(wh: WH) -> int:
    return sum(count * prod(_grid(wh, stride)) for stride, count in ((8, 3), (16, 2), (32, 2), (64, 3)))


def _quarter(wh: WH) -> Shape:
    return (32, wh[1] // 4, wh[0] // 4)


KINDS: Dict[str, Callable[[WH, int], List[Shape]]] = {
    "v2": lambda wh, c: _maps(wh, 5 * (5 + c), [32]),
    "v3": lambda wh, c: _maps(wh, 3 * (5 + c)),
    "v3 tiny": lambda wh, c: _maps(wh, 3 * (5 + c), [16, 32]),
    "v5": lambda wh, c: [(3 * _cells(wh), 5 + c)],
    "v5 raw": lambda wh, c: [(3, h, w, 5 + c) for _, h, w in _maps(wh, 0)],
    "v5 segments": lambda wh, c: [(3 * _cells(wh), 5 + c + 32), _quarter(wh)],
    "v7 --grid": lambda wh, c: [(3 * _cells(wh), 5 + c), *((3, h, w, 5 + c) for _, h, w in _maps(wh, 0))],
    "v8": lambda wh, c: [(4 + c, _cells(wh))],
    "v8 raw": lambda wh, c: _maps(wh, 64 + c),
    "v8 pairs": lambda wh, c: _maps(wh, 64) + _maps(wh, c),
    "v8 for RKNN": lambda wh, c: _maps(wh, 64) + _maps(wh, c) + _maps(wh, 1),
    "pose": lambda wh, c: [(56, _cells(wh))],
    "segments": lambda wh, c: [(4 + c + 32, _cells(wh)), _quarter(wh)],
    "oriented": lambda wh, c: [(4 + c + 1, _cells(wh))],
    "finished": lambda wh, c: [(300, 6)],
    "finished, more": lambda wh, c: [(300, 6 + c)],
    "finished segments": lambda wh, c: [(300, 6 + 32), _quarter(wh)],
    "DeepStream": lambda wh, c: [(_cells(wh), 6)],
    "YOLOX": lambda wh, c: [(_cells(wh), 5 + c)],
    "NanoDet": lambda wh, c: _per_level(wh, c) + _per_level(wh, 32),
    "NanoDet-Plus": lambda wh, c: [(_cells(wh, (8, 16, 32, 64)), c + 32)],
    "dense": lambda wh, c: [(_cells(wh), 4), (_cells(wh), c)],
    "DETR": lambda wh, c: [(300, 4), (300, c)],
    "DETR table": lambda wh, c: [(300, 4 + c)],
    "SSDLite": lambda wh, c: [(6 * _cells(wh, SSD), 4), (6 * _cells(wh, SSD), 1 + c)],
    "UltraFace": lambda wh, c: [(_faces(wh), 2), (_faces(wh), 4)],
    "EfficientDet": lambda wh, c: _maps(wh, 36, FIVE) + _maps(wh, 9 * c, FIVE),
    "FastestDet": lambda wh, c: _maps(wh, 5 + c, [16]),
    "FastestV2": lambda wh, c: [(h, w, 15 + c) for _, h, w in _maps(wh, 0, [16, 32])],
    "a list": lambda wh, c: [(100, 4), (100,), (100,)],
    "a counted list": lambda wh, c: [(1,), (100, 4), (100,), (100,)],
    "mmdeploy": lambda wh, c: [(100, 5), (100,)],
    "seven columns": lambda wh, c: [(100, 7)],
    "DETR of Hugging Face": lambda wh, c: [(100, c + 1), (100, 4)],
    "SCRFD": lambda wh, c: [(2 * prod(_grid(wh, s)), k) for k in (1, 4, 10) for s in YOLO],
    "RetinaFace": lambda wh, c: [(2 * _cells(wh), k) for k in (4, 2, 10)],
    "YuNet": lambda wh, c: [(prod(_grid(wh, s)), k) for k in (1, 1, 4, 10) for s in YOLO],
    "YOLOv5-face": lambda wh, c: [(3 * _cells(wh), 16)],
    "classifier": lambda wh, c: [(c,)],
    "segmenter": lambda wh, c: [(c, wh[1], wh[0])],
}


def draw(chance: random.Random, wh: WH) -> List[Shape]:
    """The outputs of one file; every third is damaged."""
    found = KINDS[chance.choice(list(KINDS))](wh, chance.choice((1, 1, 2, 3, 5, 20, 80)))
    return _damaged(found, chance) if chance.random() < 0.35 else found


def _damaged(found: List[Shape], chance: random.Random) -> List[Shape]:
    found, at = list(found), chance.randrange(len(found))
    shape = list(found[at])
    way = chance.randrange(7)
    if way == 0:
        chance.shuffle(found)
    elif way == 1 and len(found) > 1:
        del found[at]
    elif way == 2:
        found.insert(at, found[at])
    elif way == 3:
        found[at] = tuple(reversed(shape))
    elif way == 4:
        shape[chance.randrange(len(shape))] += chance.choice((-1, 1, 2))
        found[at] = tuple(max(side, 1) for side in shape)
    elif way == 5:
        found[at] = (1, *shape) if chance.random() < 0.5 else (*shape, 1)
    else:
        found.append(tuple(chance.choice((1, 4, 6, 32, 80)) for _ in range(chance.choice((1, 2, 3)))))
    return found
