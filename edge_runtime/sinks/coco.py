"""COCO: one JSON file with images, annotations and categories, as pycocotools reads it."""

from __future__ import annotations

import builtins
import json
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Sequence

from edge_runtime.errors import SinkError, UsageError
from edge_runtime.files.atomic import replacing
from edge_runtime.files.growing import GrowingFile
from edge_runtime.files.lock import locked
from edge_runtime.sinks import SinkOptions, written_path
from edge_runtime.sinks._names import FrameNames
from edge_runtime.sinks._paths import COCO, COCO_SUFFIX, PART
from edge_runtime.sinks.jsonl import row
from edge_runtime.types import Result

HANDLES = (COCO_SUFFIX, COCO)
PRIORITY = 1  # "coco:folder/" is not a folder of pictures


def open(target: str, options: SinkOptions) -> CocoSink:
    """Opens a file, by its suffix or by `coco:` in front of any name.

    Raises:
        SinkError: it cannot be written.
    """
    return CocoSink(target, options.labels)


class CocoSink:
    """A data set of the detections. `score` is the confidence, category 1 the model's class 0.

    The complete file appears at the end. An earlier one stays until then. Meanwhile the frames are kept beside it as
    JSON Lines, in `out.coco.json.part.jsonl`. A killed run leaves that file.
    """

    def __init__(self, target: str, labels: Sequence[str]) -> None:
        self.target, self._labels, self._names = target, labels, FrameNames()
        self._finished = False
        self._path = str(written_path(target))
        if not self._path or self._path.endswith("/") or os.path.isdir(self._path):
            why = "it is a directory" if self._path else "it names no file"
            raise SinkError(f"{target!r} cannot be written: {why}", hint="coco:out.json, or out.coco.json")
        self._open = ExitStack()
        self._open.enter_context(locked(self._path))
        try:
            self._part = GrowingFile(self._path + PART)
        except BaseException:
            self._open.close()
            raise

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`."""
        self._names = FrameNames(list(rates))

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        frame = {**row(result), "name": f"{self._names.name(result.frame)}.jpg"}
        self._part.append(json.dumps(frame, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """See `Sink.close`."""
        with self._open:
            self._part.close()
            if self._part.begun and not self._finished:
                self._finish()

    def _finish(self) -> None:
        try:
            with replacing(Path(self._path)) as file:
                file.writelines(text.encode() for text in _texts(self._path + PART, self._labels))
        except UsageError as error:
            hint = f"the detections are kept as JSON Lines in {self._path + PART}"
            raise SinkError(str(error), hint=hint) from error
        self._finished = True
        with suppress(OSError):  # the file is whole, and this one only lies beside it
            os.unlink(self._path + PART)


def _texts(part: str, labels: Sequence[str]) -> Iterator[str]:
    """The file, frame by frame, because a long run has too many frames for the memory."""
    folder = _common_folder(part)
    categories = dict(enumerate(labels))
    yield '{"info":{"description":"found by edge-runtime"},"images":['
    for number, frame in enumerate(_frames(part)):
        image = {"id": number + 1, "file_name": _file_name(frame, folder), "width": frame["width"]}
        yield "," * (number > 0) + "\n" + json.dumps({**image, "height": frame["height"]})
    yield '\n],"annotations":['
    count = 0
    for number, frame in enumerate(_frames(part)):
        for found in frame["detections"]:
            count += 1
            categories.setdefault(found["class_id"], found["label"])
            yield "," * (count > 1) + "\n" + json.dumps(_annotation(count, number + 1, found))
    names = [{"id": class_id + 1, "name": name} for class_id, name in sorted(categories.items())]
    yield f'\n],"categories":{json.dumps(names)}}}\n'


def _frames(part: str) -> Iterator[Dict[str, Any]]:
    with builtins.open(part, encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _common_folder(part: str) -> str:
    """The common folder of all pictures, so that names are as short as possible."""
    common = ""
    for frame in _frames(part):
        if "path" in frame:
            folder = os.path.dirname(os.path.abspath(frame["path"]))
            common = os.path.commonpath([common, folder]) if common else folder
    return common


def _file_name(frame: Dict[str, Any], folder: str) -> str:
    """The picture's path. For a frame of a video, the name of the picture that `--save` would write."""
    return os.path.relpath(os.path.abspath(frame["path"]), folder) if "path" in frame else str(frame["name"])


def _annotation(number: int, image: int, found: Dict[str, Any]) -> Dict[str, Any]:
    x1, y1, x2, y2 = found["box"]
    width, height = round(x2 - x1, 2), round(y2 - y1, 2)
    return {
        "id": number,
        "image_id": image,
        "category_id": found["class_id"] + 1,
        "bbox": [x1, y1, width, height],
        "segmentation": [],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "score": found["confidence"],
        **({"track_id": found["tracker_id"]} if found.get("tracker_id") else {}),
    }
