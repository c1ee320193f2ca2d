"""Datasets: labelled images in.

A member is a module with

    recognises(path) -> bool        whether a folder or file is laid out this way, from names alone
    read(path, split) -> Dataset
    PRIORITY                        who is preferred where several recognise it (default 0)
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

LARGEST = 1e12  # coordinate or area
NO_DIFFICULT = (
    "the labels mark no object as difficult: where such objects were kept they count in full, where they were removed "
    "a hit on one counts as wrong; VOC figures are not comparable with those of the original label files"
)


@dataclass(frozen=True)
class Dataset:
    """Images, and what is in them.

    Attributes:
        name: for titles.
        paths: image files; all exist.
        truths: the objects of each.
        labels: class names; empty where the data has only numbers, which are then the model's.
        relative: boxes are fractions of the image's width and height instead of pixels.
        notes: what a reader of figures measured on it should know.
    """

    name: str
    paths: Tuple[str, ...]
    truths: Tuple[Truth, ...]
    labels: Tuple[str, ...]
    relative: bool = False
    notes: Tuple[str, ...] = ()


def open(path: str, split: Optional[str] = None, layout: Optional[str] = None) -> Dataset:
    """Reads the labels of a data set; images stay where they are.

    Args:
        path: its folder, or the file that describes it (`instances.json`, `data.yaml`).
        split: image set, where there are several.
        layout: `voc`, `coco` or `yolo`; default: what the names in the folder say.

    Raises:
        DatasetError: not a data set, a split that it has not, damaged labels, missing images.
    """
    if not os.path.exists(path):
        raise DatasetError(f"no such data set: {path}", hint="check the path given with --data")
    if layout:
        return _finite(plugins.load_member("datasets", layout).read(Path(path), split))
    for member in plugins.members("datasets"):
        if member.recognises(Path(path)):
            return _finite(member.read(Path(path), split))
    raise DatasetError(
        f"{path} is not laid out as a data set",
        hint="expected Annotations/ (VOC), instances.json (COCO), or images/ and labels/ (YOLO)",
    )


def _finite(data: Dataset) -> Dataset:
    """The data set, where every number of its labels is one."""
    for path, truth in zip(data.paths, data.truths):
        for values in (truth.xyxy, truth.area):
            if values is not None and not (np.abs(values) <= LARGEST).all():
                raise DatasetError(f"a label of {path} is not finite, or huge", hint="mend the label, or take it out")
    return data


def require(paths: Sequence[Path]) -> Tuple[str, ...]:
    """The paths as text.

    Raises:
        DatasetError: there are none, some are listed twice, or do not exist.
    """
    if not paths:
        raise DatasetError("the data set has no image", hint="check its list of images, or choose another --split")
    if len(set(paths)) < len(paths):
        raise DatasetError("the data set lists an image twice", hint="it would count twice: clean the list")
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        fact = f"{len(missing)} of {len(paths)} images are missing, the first is {str(missing[0])[:999]}"
        raise DatasetError(fact, hint="labels without their images would count as objects not found")
    return tuple(str(path) for path in paths)


def choose_layout(split: Optional[str], there: Sequence[str]) -> str:
    """The split asked for, or the one that evaluations usually mean.

    Raises:
        DatasetError: it does not exist, or the choice is not clear.
    """
    usual = [name for name in ("test", "val", "eval", "valid", "val2017") if name in there]
    chosen = split or (there[0] if len(there) == 1 else next(iter(usual), None))
    if chosen is None or chosen not in there:
        wanted = f"no split {split!r}" if split else "several splits"
        raise DatasetError(f"{wanted} in the data set", hint=f"--split with one of: {', '.join(sorted(there))}")
    return chosen
