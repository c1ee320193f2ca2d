"""Reads what another program wrote: outputs and inputs as .npz, boxes as JSON Lines or COCO.

An .npz file holds arrays under `PICTURE/NAME`, such as `bus.jpg/output0`. A folder holds one file per picture,
`bus.npz` or `bus.jpg.npz`, with arrays under `NAME`. `input` is what the network was given, (3, H, W), `boxes` are
finished (n, 6) `[x1, y1, x2, y2, score, class_id]` in pixels of the picture. All other names are outputs. A first axis
of one may be left out.

    np.savez("theirs.npz", **{"bus.jpg/input": tensor, "bus.jpg/output0": output})
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit import archive
from edge_runtime.audit.likeness import Floats
from edge_runtime.errors import ModelError
from edge_runtime.files import read

MOST = 1024 * read.MIB
SUFFIXES = (".npz", ".jsonl", ".json")
INPUT, BOXES = "input", "boxes"
WANTED = "its lines need path or source, and detections with box, confidence and class_id, as edge-detect writes them"
COCO = "it needs image_id, category_id, bbox and score for each box"


@dataclass(frozen=True)
class Record:
    """What one artefact made of one picture.

    Attributes:
        outputs: of the network, by name.
        input: of the network; None if it is not known.
        boxes: (n, 6) `[x1, y1, x2, y2, score, class_id]`, pixels of the picture; None if they are not known.
    """

    outputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    input: Optional[NDArray[Any]] = None
    boxes: Optional[Floats] = None


class Recorded:
    """The records of one file or folder.

    Attributes:
        kind: "boxes" or "outputs".
        only_found: whether pictures without boxes are left out, as in a results list of COCO.

    Raises:
        ModelError: it is not such a file.
    """

    def __init__(self, path: str) -> None:
        self.path, self.kind = path, "outputs" if _is_archive(path) else "boxes"
        self.only_found = False
        self._records: Dict[str, Optional[Record]] = {}
        for name, record in self._read():
            for key in {name, *_keys(name)}:
                self._records[key] = None if key in self._records else record  # a name of two pictures is of none

    def of(self, picture: str) -> Optional[Record]:
        """The record of a picture file, by its path, its name, or its name without suffix; None if there is none."""
        found = (self._records.get(key) for key in (picture, *_keys(picture)))
        return next((record for record in found if record is not None), None)

    def _read(self) -> Iterator[Tuple[str, Record]]:
        if self.kind == "outputs":
            yield from _arrays(self.path)
            return
        lines = self.path.lower().endswith(".jsonl")
        try:
            text = read.read_text(self.path, MOST)
            content = None if lines else read.parse_json(text)
            self.only_found = isinstance(content, list)
            yield from (_lines(text) if lines else _coco(content))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            fact = f"{self.path} holds no boxes: {read.why(error)}"
            raise ModelError(fact, hint=WANTED if lines else COCO) from error


def is_recorded(path: str) -> bool:
    """Whether the path is one of such a file, or of a folder of them."""
    return os.path.isdir(path) or (path.lower().endswith(SUFFIXES) and not path.lower().endswith(".replay.npz"))


def _keys(name: str) -> Tuple[str, str]:
    base = os.path.basename(name)
    stem = os.path.splitext(base)[0]
    return base, str(int(stem)) if stem.isdecimal() else stem  # COCO's image_id is the number in the name


def _is_archive(path: str) -> bool:
    return os.path.isdir(path) or path.lower().endswith(".npz")


def _arrays(path: str) -> Iterator[Tuple[str, Record]]:
    if os.path.isdir(path):
        files = sorted(Path(path).glob("*.npz"))
        if not files:
            raise ModelError(f"no .npz file in {path}", hint="one per picture, bus.npz for bus.jpg")
        for file in files:
            yield file.stem, _record(str(file), archive.arrays(str(file)))
    else:
        yield from _pictures(path)


def _pictures(path: str) -> Iterator[Tuple[str, Record]]:
    by_picture: Dict[str, Dict[str, NDArray[Any]]] = {}
    for name, array in archive.arrays(path).items():
        picture, slash, what = name.rpartition("/")
        if not slash:
            raise ModelError(f"{path} has an array {name[:80]!r} of no picture", hint="name it bus.jpg/output0")
        by_picture.setdefault(picture, {})[what] = array
    for picture, arrays in by_picture.items():
        yield picture, _record(path, arrays)


def _record(path: str, arrays: Dict[str, NDArray[Any]]) -> Record:
    boxes = arrays.pop(BOXES, None)
    if boxes is not None and (boxes.ndim != 2 or boxes.shape[1] != 6):
        hint = "they are (n, 6): x1, y1, x2, y2, score, class_id in pixels of the picture"
        raise ModelError(f"{path} has boxes of shape {boxes.shape}", hint=hint)
    given = arrays.pop(INPUT, None)
    return Record(arrays, given, None if boxes is None else _best_first(boxes))


def _lines(text: str) -> Iterator[Tuple[str, Record]]:
    for line in filter(str.strip, text.split("\n")):
        row = read.parse_json_object(line)
        found = [(*each["box"], each["confidence"], each["class_id"]) for each in row["detections"]]
        yield str(row.get("path") or row["source"]), Record(boxes=_rows(found))


def _coco(content: Any) -> Iterator[Tuple[str, Record]]:
    """Boxes of a results list, whose class numbers are its category ids, or of a listing with images."""
    listing = isinstance(content, dict)
    notes = content["annotations"] if listing else content
    names = {image["id"]: str(image["file_name"]) for image in content["images"]} if listing else {}
    ids = sorted(each["id"] for each in content["categories"]) if listing else []
    numbers = {each: number for number, each in enumerate(ids)}
    by_picture: Dict[str, List[Tuple[float, ...]]] = {name: [] for name in names.values()}
    for note in notes:
        x, y, width, height = note["bbox"]
        name = names[note["image_id"]] if listing else str(note["image_id"])
        number = numbers[note["category_id"]] if listing else note["category_id"]
        by_picture.setdefault(name, []).append((x, y, x + width, y + height, note["score"], number))
    yield from ((name, Record(boxes=_rows(rows))) for name, rows in by_picture.items())


def _rows(found: List[Tuple[float, ...]]) -> Floats:
    rows = np.array(found, np.float64).reshape(len(found), 6)
    if not (np.abs(rows) < 1e9).all():
        raise ValueError("a number is not finite, or huge")
    return _best_first(rows)


def _best_first(rows: NDArray[Any]) -> Floats:
    ordered: Floats = rows[np.argsort(-rows[:, 4], kind="stable")].astype(np.float32)
    return ordered
