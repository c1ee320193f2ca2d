"""COCO: one JSON file with images, annotations and categories."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from edge_runtime import datasets
from edge_runtime.datasets import Dataset
from edge_runtime.errors import DatasetError
from edge_runtime.files import read as read_file
from edge_runtime.types import Truth

MOST = 2048 * read_file.MIB  # largest size of a listing, bytes; that of COCO 2017 has 450 MB
PRIORITY = 10  # used before YOLO if a folder has both: only COCO labels have crowds and areas


def recognises(path: Path) -> bool:
    return path.suffix == ".json" or bool(_listings(path))


def read(path: Path, split: Optional[str]) -> Dataset:
    """Reads every annotation. Categories get numbers in the order of their ids."""
    listing = path
    if os.path.isdir(path):
        listings = _listings(path)
        listing = listings[datasets.choose_layout(split, list(listings))]
    try:
        return _dataset(listing, read_file.parse_json_object(read_file.read_text(listing, MOST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(
            f"{listing} is not a COCO listing: {read_file.why(error)}",
            hint="it needs images, annotations and categories",
        ) from error


def _listings(path: Path) -> Dict[str, Path]:
    """Returns JSON files by split: `annotations/instances_val2017.json` is val2017, `instances.json` is instances."""
    files = [*path.glob("instances*.json"), *path.glob("annotations/instances*.json")]
    return {file.stem[len("instances_") :] or file.stem: file for file in files}


def _dataset(listing: Path, content: Dict[str, Any]) -> Dataset:
    categories = sorted(content["categories"], key=lambda category: category["id"])
    number = {category["id"]: index for index, category in enumerate(categories)}
    notes: Dict[Any, List[Dict[str, Any]]] = defaultdict(list)
    for note in content["annotations"]:
        notes[note["image_id"]].append(note)
    names = [image["file_name"] for image in content["images"]]
    folder = _folder(listing, names[0] if names else "")
    truths = tuple(_truth(notes[image["id"]], number) for image in content["images"])
    labels = tuple(str(category["name"]) for category in categories)
    images = datasets.require([folder / name for name in names])
    return Dataset(listing.resolve().parent.name, images, truths, labels, notes=(datasets.NO_DIFFICULT,))


def _folder(listing: Path, name: str) -> Path:
    """Returns the folder of the images: that of the listing, or one of the usual folders."""
    split = listing.stem[len("instances_") :]
    roots = [listing.parent, listing.parent.parent]
    places = [root / part for root in roots for part in ("images", split, f"images/{split}", "")]
    return next((place for place in places if (place / name).is_file()), places[0])


def _truth(notes: List[Dict[str, Any]], number: Dict[int, int]) -> Truth:
    boxes = np.array([note["bbox"] for note in notes], np.float64).reshape(-1, 4)
    if not (np.abs(boxes) <= datasets.LARGEST).all():
        raise ValueError("a bbox is not finite, or huge")
    sides = boxes[:, 2:].copy()
    boxes[:, 2:] += boxes[:, :2]
    return Truth(
        boxes,
        np.array([number[note["category_id"]] for note in notes], np.int64),
        np.zeros(len(notes), bool),
        np.array([bool(note.get("iscrowd", 0)) for note in notes], bool),
        np.array([note.get("area", w * h) for note, (w, h) in zip(notes, sides)], np.float64),
    )
