"""Data sets: reads labelled images.

Each member is a module that defines

    recognises(path) -> bool        whether a folder or file has this layout; looks only at names
    read(path, split) -> Dataset
    PRIORITY                        if several recognise a path, the highest is used (default 0)
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime import plugins
from edge_runtime.errors import DatasetError
from edge_runtime.types import Truth

LARGEST = 1e12  # largest coordinate or area in labels
NO_DIFFICULT = (
    "the labels mark no object as difficult: difficult objects count fully if they were kept, and detections of them "
    "count as wrong if they were removed; VOC results cannot be compared with those of the original label files"
)


@dataclass(frozen=True)
class Dataset:
    """Images and their labelled objects.

    Attributes:
        name: name for titles.
        paths: image files; all exist.
        truths: the labelled objects of each image.
        labels: class names. Empty if the data has only numbers, which are then the class ids of the model.
        relative: whether boxes are fractions of the image's width and height, not pixels.
        notes: what a reader of results on this data set should know.
    """

    name: str
    paths: Tuple[str, ...]
    truths: Tuple[Truth, ...]
    labels: Tuple[str, ...]
    relative: bool = False
    notes: Tuple[str, ...] = ()


def open(path: str, split: Optional[str] = None, layout: Optional[str] = None) -> Dataset:
    """Reads the labels of a data set. Images are not read.

    Args:
        path: its folder, or the file that describes it (`instances.json`, `data.yaml`).
        split: image set, if there are several.
        layout: `voc`, `coco` or `yolo`; default: found from the names in the folder.

    Raises:
        DatasetError: the path is not a data set, the split does not exist, labels are damaged, or images are missing.
    """
    if not os.path.exists(path):
        raise DatasetError(f"no such data set: {path}", hint="check the path given with --data")
    if layout:
        return _finite(plugins.load_member("datasets", layout).read(Path(path), split))
    for member in plugins.members("datasets"):
        if member.recognises(Path(path)):
            return _finite(member.read(Path(path), split))
    raise DatasetError(
        f"{path} does not have the layout of a data set",
        hint="expected Annotations/ (VOC), instances.json (COCO), or images/ and labels/ (YOLO)",
    )


def _finite(data: Dataset) -> Dataset:
    """Returns the data set. Raises DatasetError if a number of its labels is not finite or is too large."""
    for path, truth in zip(data.paths, data.truths):
        for values in (truth.xyxy, truth.area):
            if values is not None and not (np.abs(values) <= LARGEST).all():
                raise DatasetError(f"a label of {path} is not finite, or huge", hint="correct or remove the label")
    return data


def require(paths: Sequence[Path]) -> Tuple[str, ...]:
    """Returns the paths as text.

    Raises:
        DatasetError: there is no path, or some paths are listed twice or do not exist.
    """
    if not paths:
        raise DatasetError("the data set has no image", hint="check its list of images, or choose another --split")
    if len(set(paths)) < len(paths):
        raise DatasetError("the data set lists an image twice", hint="it would count twice: correct the list")
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        fact = f"{len(missing)} of {len(paths)} images are missing, the first is {str(missing[0])[:999]}"
        raise DatasetError(fact, hint="add the images or remove their labels: their objects would count as not found")
    return tuple(str(path) for path in paths)


def choose_layout(split: Optional[str], there: Sequence[str]) -> str:
    """Returns the split that was asked for, or the one that evaluations usually use.

    Raises:
        DatasetError: the split does not exist, or the choice is not clear.
    """
    usual = [name for name in ("test", "val", "eval", "valid", "val2017") if name in there]
    chosen = split or (there[0] if len(there) == 1 else next(iter(usual), None))
    if chosen is None or chosen not in there:
        wanted = f"no split {split!r}" if split else "several splits"
        raise DatasetError(f"{wanted} in the data set", hint=f"give --split with one of: {', '.join(sorted(there))}")
    return chosen
