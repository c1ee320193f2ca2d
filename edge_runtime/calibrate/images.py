"""Image sets: which pictures a calibration reads. A manifest lists them, so that it can be repeated."""

from __future__ import annotations

import hashlib
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from edge_runtime import datasets
from edge_runtime.datasets import Dataset
from edge_runtime.errors import DatasetError, EdgeError
from edge_runtime.files import atomic, fields, read
from edge_runtime.files.fields import check_fields
from edge_runtime.imaging.image_file import MOST_BYTES

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MANIFEST = {"folder": fields.text(), "sha256": fields.mapping(fields.text(64))}
FEW = 100
ENOUGH = 64  # pictures for the ranges; further ones change them little, and labels say more in the check
HELD_OUT = 5  # one image of this many is held out, if there are not enough images for both uses


@dataclass(frozen=True)
class ImageSet:
    """Pictures for calibration, and other pictures to check the result.

    Attributes:
        name: name for titles.
        paths: pictures to calibrate on, in order.
        held_out: pictures to check on. A data set without labels has no class names.
        notes: what a reader of the results should know.
    """

    name: str
    paths: Tuple[str, ...]
    held_out: Dataset
    notes: Tuple[str, ...] = ()


def read_image_set(target: str, folder: Optional[str] = None, split: Optional[str] = None) -> Dataset:
    """Reads a folder of pictures, a data set with labels, or a manifest.

    Args:
        folder: folder of a manifest's pictures; default: the folder that the manifest names.
        split: image set, if a data set has several.

    Raises:
        DatasetError: there is no picture, or a picture differs from the one in the manifest.
    """
    path = Path(target)
    if path.suffix == ".toml":
        paths = read_manifest(path, folder)
        return Dataset(path.stem, paths, (), ())
    try:
        return datasets.open(target, split)
    except DatasetError:
        if split or not path.is_dir():
            raise
    found = sorted(str(file) for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not found:
        raise DatasetError(f"no pictures in {target}", hint=f"looked for {', '.join(SUFFIXES)}")
    return Dataset(path.resolve().name, tuple(found), (), ())


def picture_set(files: Sequence[str]) -> Dataset:
    """Returns a data set of the given picture files.

    Raises:
        DatasetError: one of them is not a picture.
    """
    for file in files:
        if not file.lower().endswith(SUFFIXES) or not os.path.isfile(file):
            raise DatasetError(f"{file} is not a picture", hint="give pictures, or one folder, data set or manifest")
    return Dataset(f"{len(files)} pictures", tuple(files), (), ())


def divide(data: Dataset, most: int, hold_out: bool) -> ImageSet:
    """Divides the pictures into those for calibration and those for the check, both from all over their order.

    The order is often that of time, of cameras that take turns, or of folders. So the pictures to check are drawn by
    chance, one from each of many equal parts of the order. The draw is the same in each run.

    Where there are labels, up to `FEW` are held out, as long as `ENOUGH` are left: a loss is known only as well as the
    number of objects allows.

    Args:
        most: largest number of pictures to calibrate on.
        hold_out: whether to hold some out for the check.
    """
    count = len(data.paths)
    if not hold_out:
        held: List[int] = []
    elif count > most + most // HELD_OUT:
        used = set(_spread(range(count), most))
        held = _strata([k for k in range(count) if k not in used], max(most // HELD_OUT, FEW))
    else:
        labelled = min(FEW, count - ENOUGH) if data.truths else 0
        held = _strata(range(count), max(count // HELD_OUT, labelled, min(1, count - 1)))
    kept = _spread([k for k in range(count) if k not in set(held)], most)
    notes = []
    if len(kept) < FEW and len(kept) + len(held) < FEW:
        seen = "1 image" if len(kept) == 1 else f"{len(kept)} images"
        notes.append(f"only {seen} to calibrate on: {FEW} to 500 from the place of use are better")
    return ImageSet(data.name, tuple(data.paths[k] for k in kept), subset(data, held), tuple(notes))


def _spread(numbers: Sequence[int], most: int) -> List[int]:
    """Returns at most so many of the numbers, at equal distances, the first and the last among them."""
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[round(k * (len(numbers) - 1) / max(1, most - 1))] for k in range(most)]


def _strata(numbers: Sequence[int], most: int) -> List[int]:
    """Returns at most so many of the numbers, one drawn from each of as many equal parts."""
    parts, draw = min(most, len(numbers)), random.Random(len(numbers))
    edges = [k * len(numbers) // max(1, parts) for k in range(parts + 1)]
    return [numbers[draw.randrange(low, high)] for low, high in zip(edges, edges[1:])]


def subset(data: Dataset, numbers: Sequence[int]) -> Dataset:
    """Returns a data set of the images with these numbers."""
    truths = tuple(data.truths[k] for k in numbers) if data.truths else ()
    paths = tuple(data.paths[k] for k in numbers)
    return Dataset(data.name, paths, truths, data.labels, data.relative, data.notes)


def without_labels(data: Dataset) -> Dataset:
    """Returns the images of a data set alone."""
    return Dataset(data.name, data.paths, (), (), notes=data.notes)


def write_manifest(path: Path, images: Sequence[str], folder: Optional[str] = None, about: str = "") -> None:
    """Writes the names and hashes of pictures; the file is either complete or not written.

    Args:
        folder: the names are relative to it; default: the manifest's own folder.
        about: a sentence for readers of the file.

    Raises:
        UsageError: the file cannot be written.
    """
    base = Path(folder) if folder else path.parent
    lines = [f"# {about}"] if about else []
    lines += [f"folder = {json.dumps(os.path.relpath(base, path.parent))}", "", "[sha256]"]
    for image in images:
        name = os.path.relpath(image, base)
        lines.append(f"{json.dumps(name)} = {json.dumps(_sha256(image))}")
    atomic.replace_file(path, ("\n".join(lines) + "\n").encode())


def read_manifest(path: Path, folder: Optional[str] = None) -> Tuple[str, ...]:
    """Returns the paths of the pictures that a manifest lists, after checking each one.

    Raises:
        DatasetError: the file is not a manifest, or a picture is missing or has another hash.
    """
    try:
        content = read.parse_toml(read.read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path} is not an image manifest: it {error}", hint="edge-calibrate writes one") from error
    missing = [name for name in MANIFEST if name not in content]
    if missing:
        fact = f"{path} is not an image manifest: it has no {missing[0]}"
        raise DatasetError(fact, hint="edge-calibrate writes one")
    kept = check_fields(
        {name: content[name] for name in MANIFEST}, MANIFEST, f"{path} is not an image manifest: ", DatasetError
    )
    base, listed = Path(folder) if folder else path.parent / kept["folder"], kept["sha256"]
    for name, digest in listed.items():
        if not os.path.isfile(base / name):
            raise DatasetError(f"{base / name} is missing", hint="give the folder of the pictures with --image-folder")
        if _sha256(str(base / name)) != digest:
            raise _changed(base / name)
    return tuple(str(base / name) for name in listed)


def _changed(path: Path) -> EdgeError:
    return DatasetError(f"{path} is not the picture that the manifest lists", hint="make the manifest again")


def _sha256(path: str) -> str:
    try:
        return hashlib.sha256(read.read_bytes(path, MOST_BYTES)).hexdigest()
    except ValueError as error:
        raise DatasetError(f"{path} {error}", hint="remove or replace it") from error
