"""YOLO: images/ and labels/ with one text file per image (`class cx cy w h`, fractions), names in data.yaml or *.names.

An image without a text file has no objects. A `data.yaml` may name the folder of each split, as with Ultralytics.
"""

from __future__ import annotations

import os
import re
from itertools import accumulate
from math import isfinite
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from edge_runtime import datasets
from edge_runtime.datasets import Dataset
from edge_runtime.errors import BackendUnavailable, DatasetError
from edge_runtime.files import fields
from edge_runtime.files import read as read_file
from edge_runtime.files.fields import show
from edge_runtime.libraries.extras import install_hint
from edge_runtime.model import labels
from edge_runtime.types import Truth

MOST, MOST_CLASSES, DEEPEST = read_file.MIB // 4, 1 << 20, 50  # bytes of a description, classes, brackets
NAME = fields.Field(
    "a name", lambda value: str(value) if isinstance(value, (str, int, float)) else fields.text().take(value)
)
NAMES = fields.several(NAME)
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
NAME_FILES = ("*.names", "classes.txt", "labels/classes.txt")


def recognises(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml") or (path / "labels").is_dir() or bool(_description(path))


def read(path: Path, split: Optional[str]) -> Dataset:
    """Reads every object of the split. Boxes stay fractions, because the labels do not hold the sizes of the images."""
    described = path if os.path.isfile(path) else _description(path)
    content = _yaml(described) if described else {}
    root = described.parent / str(content.get("path", "")) if described else path
    folder, chosen = _images(root if os.path.isdir(root) else path, content, split)
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    names = _names(path if os.path.isdir(path) else path.parent, content)
    truths = tuple(_truth(_label_file(file), len(names)) for file in files)
    name = " ".join(filter(None, (root.resolve().name, chosen)))
    return Dataset(name, datasets.require(files), truths, names, relative=True, notes=(datasets.NO_DIFFICULT,))


def _description(path: Path) -> Optional[Path]:
    return next(iter(sorted([*path.glob("*.yaml"), *path.glob("*.yml")])), None)


def _yaml(path: Path) -> Dict[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise BackendUnavailable("PyYAML is not installed", hint=install_hint("eval")) from error
    try:
        text = read_file.read_text(path, MOST)
        if _too_deep(text):
            raise ValueError("is nested too deeply")
        return dict(yaml.safe_load(text))
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        yaml.YAMLError,
    ) as error:
        raise DatasetError(f"{path} cannot be read: {error}", hint="it needs names: and val:") from error


def _images(root: Path, content: Dict[str, Any], split: Optional[str]) -> Tuple[Path, Optional[str]]:
    """Returns the folder of the split's images, and the name of the split."""
    stated = {key: content[key] for key in ("train", "val", "test") if isinstance(content.get(key), str)}
    if stated:
        chosen = datasets.choose_layout(split or ("val" if "val" in stated else None), list(stated))
        folder = root / stated[chosen]
        if not os.path.isdir(folder):
            raise DatasetError(f"no folder {folder}, which data.yaml names for {chosen}", hint="check path: and split")
        return folder, chosen
    images = root / "images"
    if not os.path.isdir(images):
        raise DatasetError(f"no folder {images}", hint="expected images/ beside labels/")
    inner = [folder.name for folder in images.iterdir() if os.path.isdir(folder)]
    if inner or split:
        chosen = datasets.choose_layout(split, inner)
        return images / chosen, chosen
    return images, None


def _too_deep(text: str) -> bool:
    """Whether its brackets or dashes are nested beyond any data set's; PyYAML needs minutes for a thousand."""
    depths = accumulate(1 if mark in "[{" else -1 for mark in re.findall(r"[\[\]{}]", text))
    return max(depths, default=0) > DEEPEST or re.search(rf"(?:[-?:]\s+){{{DEEPEST}}}", text) is not None


def _name(value: Any) -> str:
    if not isinstance(value, (str, int, float)):
        raise ValueError(value)
    return str(value)


def _label_file(image: Path) -> Path:
    """Returns the path of an image's label file: the last `images` in the path becomes `labels`."""
    parts = list(image.with_suffix(".txt").parts)
    place = len(parts) - 1 - parts[::-1].index("images") if "images" in parts else -1
    if place >= 0:
        parts[place] = "labels"
    return Path(*parts)


def _names(root: Path, content: Dict[str, Any]) -> Tuple[str, ...]:
    stated = content.get("names")
    try:
        if isinstance(stated, dict):
            stated = [stated[key] for key in sorted(stated, key=int)]
        if stated:
            return NAMES.take(stated)  # type: ignore[no-any-return]
    except (ValueError, TypeError) as error:
        raise DatasetError(f"names: is {show(stated)}", hint="expected a list of names, or names by number") from error
    found = next((file for pattern in NAME_FILES for file in sorted(root.glob(pattern))), None)
    return labels.load_labels(str(found)) if found else ()


def _truth(path: Path, classes: int) -> Truth:
    try:
        lines = read_file.read_text(path).split("\n") if os.path.isfile(path) else []
        rows = np.array([_row(line, classes) for line in lines if line.strip()], np.float64).reshape(-1, 5)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}", hint="each line must be: class cx cy w h, fractions") from error
    centre, half = rows[:, 1:3], rows[:, 3:5] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return Truth(boxes, rows[:, 0].astype(np.int64), np.zeros(len(rows), bool))


def _row(line: str, classes: int) -> List[float]:
    """Reads `class cx cy w h`. A polygon (more numbers) becomes its bounding box."""
    values = [float(value) for value in line.split()]
    if not all(map(isfinite, values)):
        raise ValueError("a number is not finite")
    if not (0 <= values[0] < (classes or MOST_CLASSES) and values[0].is_integer()):
        raise ValueError(f"class {values[0]:g} of {classes or 'numbers from 0'}")
    if len(values) == 5:
        return values
    if len(values) < 7 or len(values) % 2 == 0:
        raise ValueError(f"{len(values)} numbers in a line")
    xs, ys = values[1::2], values[2::2]
    return [values[0], (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys)]
