"""Anchors from labels: k-means over box sizes with 1 - IoU as the distance (Redmon and Farhadi 2017, arXiv 1612.08242).

python tools/train/anchors.py --data ../shared/data/voc2007/train --imgsz 416 [--count 9]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.zoo.yolo_nano import ANCHORS

SEED, ROUNDS = 0, 300
Anchors = Tuple[Tuple[Tuple[float, float], ...], ...]


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with instances.json")
    parser.add_argument("--imgsz", type=int, default=416)
    parser.add_argument("--count", type=int, default=9)
    args = parser.parse_args(argv)
    sizes = box_sizes(args.data, args.imgsz)
    found = k_means(sizes, args.count)
    for name, anchors in (("k-means", found), ("YOLO Nano's own", np.array(ANCHORS).reshape(-1, 2))):
        listed = ", ".join(f"{w:.0f}x{h:.0f}" for w, h in anchors)
        print(f"{name}: {listed}; mean best IoU over {len(sizes)} boxes {iou(sizes, anchors).max(1).mean():.4f}")
    return 0


def box_sizes(folder: Path, imgsz: int) -> np.ndarray:
    """(n, 2) width and height of every labelled box in pixels of the letterboxed square."""
    listing = json.loads((folder / "instances.json").read_text(encoding="utf-8"))
    scale = {image["id"]: imgsz / max(image["width"], image["height"]) for image in listing["images"]}
    return np.array([[side * scale[note["image_id"]] for side in note["bbox"][2:]] for note in listing["annotations"]])


def k_means(sizes: np.ndarray, count: int) -> np.ndarray:
    """(count, 2) medians of the clusters, smallest area first."""
    centres = sizes[np.random.RandomState(SEED).choice(len(sizes), count, replace=False)]
    for _ in range(ROUNDS):
        nearest = iou(sizes, centres).argmax(1)
        own = [sizes[nearest == k] for k in range(count)]
        moved = np.array([np.median(group, axis=0) if len(group) else centre for group, centre in zip(own, centres)])
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres[centres.prod(1).argsort()]


def levels(anchors: np.ndarray, count: int) -> Anchors:
    """Anchors shared out over `count` levels, the smallest on the finest."""
    rows = [tuple(map(float, row)) for row in np.round(anchors, 1)]
    each = len(rows) // count
    return tuple(tuple(rows[k * each : (k + 1) * each]) for k in range(count))


def iou(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(n, k) overlap of boxes that share a corner."""
    inter = np.minimum(sizes[:, None], anchors[None]).prod(2)
    return inter / (sizes.prod(1)[:, None] + anchors.prod(1)[None] - inter)


if __name__ == "__main__":
    raise SystemExit(main())
