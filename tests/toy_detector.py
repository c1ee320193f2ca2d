"""A detector that trains in milliseconds, with the layers that a compression meets, and four pictures for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional, Sequence

import cv2
import numpy as np

from edge_runtime.model.labels import VOC
from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo.layers import IMAGE, Architecture, Table
from edge_runtime.zoo.weights import Weights, random
from edge_runtime.zoo.yolo_nano import ANCHORS, STRIDES


def build(
    name: str = "toy", labels: Sequence[str] = VOC, imgsz: int = 64, preset: Optional[str] = None
) -> Architecture:
    """In place of `zoo.build`: three heads, a residual, a gate, a concatenation, several activations."""
    table, outputs = Table(), 3 * (5 + len(labels))
    stem = table.conv("stem", IMAGE, 16, 3, 2)
    quarter = table.inverted("quarter", stem, 24, 20, 2)
    eighth = table.inverted("same", table.inverted("eighth", quarter, 40, 24, 2), 36, 24)
    gated = table.gate("gate", eighth, 8)
    sixteenth = table.conv("sixteenth", gated, 32, 3, 2, act="silu")
    last = table.conv("last", sixteenth, 32, 3, 2, act="leaky")
    fine = table.conv("fine", table.up_concat("joined", sixteenth, gated), 24)
    heads = [table.head(f"head{k}", x, outputs) for k, x in enumerate((fine, sixteenth, last))]
    spec = ModelSpec("yolo_v3", (imgsz, imgsz), tuple(labels), anchors=ANCHORS, strides=STRIDES)
    return Architecture(name, tuple(table.layers), tuple(heads), spec)


def weights(architecture: Architecture, seed: int = 0) -> Weights:
    """Random ones with a normalisation that does something."""
    values, generator = random(architecture, seed), np.random.default_rng(seed)
    for name, value in values.items():
        if ".bn." in name:
            low, high = (-0.5, 0.5) if name.endswith(("bias", "mean")) else (0.5, 1.5)
            values[name] = generator.uniform(low, high, value.shape).astype(np.float32)
    return values


def write_folder(folder: Path) -> Path:
    """Four pictures with one bright square each, labelled as the trainings read it."""
    (folder / "images").mkdir()
    images, notes = [], []
    for number in range(4):
        picture = np.full((100, 160, 3), 40, np.uint8)
        x, y = 20 + 25 * number, 30
        picture[y : y + 40, x : x + 30] = 250
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        images.append({"id": number, "file_name": f"{number}.png", "width": 160, "height": 100})
        notes.append({"image_id": number, "category_id": 1 + number % 2, "bbox": [x, y, 30, 40]})
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    listing = {"images": images, "annotations": notes, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(listing), encoding="utf-8")
    return folder
