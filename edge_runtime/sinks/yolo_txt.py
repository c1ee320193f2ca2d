"""Writes YOLO txt: a folder with one text file per picture, like `--save-txt` of Ultralytics."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Iterable, Iterator, Mapping

from edge_runtime.errors import EdgeError, SinkError
from edge_runtime.files.atomic import replace_file
from edge_runtime.files.lock import locked
from edge_runtime.sinks import SinkOptions, written_path
from edge_runtime.sinks._names import FrameNames
from edge_runtime.sinks._paths import YOLO
from edge_runtime.text.escape import printable
from edge_runtime.types import Result

HANDLES = YOLO
PRIORITY = 1  # "yolo:folder/" is not a folder of pictures
CLASSES = "classes.txt"  # the model's class names, in the file where labelling tools look for them


def open(target: str, options: SinkOptions) -> YoloTxtSink:
    """Opens a folder, `yolo:labels/`, or creates it. `yolo-conf:labels/` adds the confidence to each line.

    Raises:
        SinkError: it cannot be created, or it has text files in it, which may be labels drawn by hand.
    """
    return YoloTxtSink(target, options)


class YoloTxtSink:
    """Writes lines of `class cx cy w h [confidence [id]]`, fractions of the picture, best box first.

    A file is named after its picture or the number of the frame, like the pictures of `--save`. It appears in one step,
    complete. It is empty if nothing was found. `classes.txt` has the class names, one on each line.
    """

    def __init__(self, target: str, options: SinkOptions) -> None:
        self.target = target
        self._conf = target.lower().startswith("yolo-conf:")
        self._folder = Path(str(written_path(target)))
        self._names = FrameNames()
        self._labels, self._begun = options.labels, False
        self._made = not self._folder.exists()
        self._open = ExitStack()
        self._open.enter_context(locked(self._folder))
        try:
            self._check()
        except BaseException:
            self._open.close()
            raise

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`."""
        self._names = FrameNames(list(rates))

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if not self._begun and self._labels:
            self._put(CLASSES, [printable(" ".join(label.split())) for label in self._labels])
        self._begun = True
        self._put(f"{self._names.name(result.frame)}.txt", _lines(result, self._conf))

    def close(self) -> None:
        """See `Sink.close`. Without any frame, no folder is left."""
        if not self._begun and self._made:
            with suppress(OSError):
                self._folder.rmdir()
        self._open.close()

    def _check(self) -> None:
        if str(self._folder) == ".":
            raise SinkError(f"{self.target!r} names no folder", hint="yolo:labels/, for example")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            there = next(self._folder.glob("*.txt"), None)
        except OSError as error:
            hint = "does a file have that name, or is the permission missing?"
            raise SinkError(f"{self.target!r} cannot be made a folder: {error.strerror}", hint=hint) from error
        if there:
            hint = "name a new folder, or remove the files: they may be labels drawn by hand"
            raise SinkError(f"{self.target!r} has text files in it already, {there.name} is one of them", hint=hint)

    def _put(self, name: str, lines: Iterable[str]) -> None:
        try:
            text = "".join(f"{line}\n" for line in lines)
            replace_file(self._folder / name, text.encode("utf-8", "backslashreplace"), durable=False)
        except EdgeError as error:
            raise SinkError(str(error), hint="the files before this one are whole") from error


def _lines(result: Result, conf: bool) -> Iterator[str]:
    width, height = result.frame.image_wh
    found = result.detections
    ids = [-1] * len(found) if found.tracker_id is None else found.tracker_id.tolist()
    rows = zip(found.xyxy.tolist(), found.confidence.tolist(), found.class_id.tolist(), ids)
    for (x1, y1, x2, y2), confidence, class_id, number in rows:
        box = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        more = [f"{confidence:.6g}", *[str(number)] * (number > 0)] if conf else []
        yield " ".join([str(class_id), *(f"{value:.6g}" for value in box), *more])
