"""Writes CSV: one row for each box, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from typing import Any, Dict, Iterator, List

from edge_runtime.files.growing import GrowingFile
from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks.jsonl import row
from edge_runtime.text.escape import csv_cell
from edge_runtime.types import Result

HANDLES = (".csv",)
FRAME = ("source", "path", "frame", "timestamp_s", "width", "height")
BOX = ("class_id", "label", "confidence")
HEADER = (*FRAME, *BOX, "x1", "y1", "x2", "y2")
ID = "tracker_id"  # the last column, if something tracks


def open(target: str, options: SinkOptions) -> CsvSink:
    """Opens a file. The first result replaces an earlier file.

    Raises:
        SinkError: it cannot be written.
    """
    return CsvSink(target, options.ids)


class CsvSink:
    """Writes the rows of a frame at once. A frame without boxes has no row. Text is quoted, numbers are not.

    Boxes are in pixels of the image. Text that a spreadsheet would compute gets a `'` in front.
    """

    def __init__(self, target: str, ids: bool) -> None:
        self.target, self._ids = target, ids
        self._file = GrowingFile(target)

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if not self._file.begun:
            self._ids = self._ids or result.detections.tracker_id is not None
        header = [] if self._file.begun else [[*HEADER, *[ID] * self._ids]]
        text = _lines([*header, *_rows(row(result), self._ids)])
        if text:
            self._file.append(text.encode())

    def close(self) -> None:
        """See `Sink.close`."""
        self._file.close()


def _rows(frame: Dict[str, Any], with_ids: bool) -> Iterator[List[Any]]:
    about = [frame.get(name, "") for name in FRAME]
    for found in frame["detections"]:
        ids = [found.get(ID) or ""] * with_ids  # the columns stay those of the header
        yield [*about, *(found[name] for name in BOX), *found["box"], *ids]


def _lines(rows: List[List[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([csv_cell(value) for value in cells] for cells in rows)
    return text.getvalue()
