"""PASCAL VOC: JPEGImages/, Annotations/*.xml, and lists of names in ImageSets/Main/."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Tuple
from xml.etree import ElementTree

import numpy as np

from edge_runtime import datasets
from edge_runtime.datasets import Dataset
from edge_runtime.errors import DatasetError
from edge_runtime.files import read as read_file
from edge_runtime.model.labels import VOC
from edge_runtime.types import Truth

MOST = 16 * read_file.MIB  # largest size of the labels of an image, bytes
EDGES = ("xmin", "ymin", "xmax", "ymax")
Row = Tuple[str, List[float], bool]


def recognises(path: Path) -> bool:
    return (path / "Annotations").is_dir()


def read(path: Path, split: Optional[str]) -> Dataset:
    """Reads every object of the split. Pixels counted from 1 become edges counted from 0."""
    names, chosen = _names(path, split)
    files = {image.stem: image for image in (path / "JPEGImages").glob("*.*")}
    images = datasets.require([files.get(name, path / "JPEGImages" / f"{name}.jpg") for name in names])
    rows = [_rows(path / "Annotations" / f"{name}.xml") for name in names]
    seen = {label for objects in rows for label, _, _ in objects}
    labels = VOC if seen <= set(VOC) else tuple(sorted(seen))
    number = {label: index for index, label in enumerate(labels)}
    notes = () if any(hard for objects in rows for _, _, hard in objects) else (datasets.NO_DIFFICULT,)
    truths = tuple(_truth(objects, number) for objects in rows)
    return Dataset(" ".join(filter(None, (path.resolve().name, chosen))), images, truths, labels, notes=notes)


def _names(path: Path, split: Optional[str]) -> Tuple[List[str], Optional[str]]:
    """Returns the names of the images, and the name of the split. Lists of one class (`car_val.txt`) are no splits."""
    lists = {file.stem: file for file in (path / "ImageSets" / "Main").glob("*.txt")}
    splits = [name for name in lists if name.rpartition("_")[0] not in VOC]
    if not splits and split is None:
        return sorted(file.stem for file in (path / "Annotations").glob("*.xml")), None
    chosen = datasets.choose_layout(split, splits)
    try:
        lines = read_file.read_text(lists[chosen]).split("\n")
    except ValueError as error:
        raise DatasetError(f"{lists[chosen]} {error}", hint="it must be a list of names") from error
    return [line.split()[0] for line in lines if line.strip()], chosen


def _rows(path: Path) -> List[Row]:
    """Returns (label, [x1, y1, x2, y2], difficult) of each object."""
    try:
        return [_row(thing) for thing in ElementTree.fromstring(read_file.read_bytes(path, MOST)).iter("object")]
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DatasetError(f"{path} cannot be read: {error}", hint="check that the file is complete") from error


def _row(thing: ElementTree.Element) -> Row:
    label = thing.findtext("name", "").strip()
    x1, y1, x2, y2 = (float(thing.findtext(f"bndbox/{edge}", "")) for edge in EDGES)
    return label, [x1 - 1, y1 - 1, x2, y2], thing.findtext("difficult", "0").strip() == "1"


def _truth(rows: List[Row], number: Dict[str, int]) -> Truth:
    return Truth(
        np.array([box for _, box, _ in rows], np.float64).reshape(-1, 4),
        np.array([number[label] for label, _, _ in rows], np.int64),
        np.array([hard for _, _, hard in rows], bool),
    )
