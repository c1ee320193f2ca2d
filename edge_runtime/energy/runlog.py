"""The log of a run: one row a second, as CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Dict, List

from edge_runtime.errors import UsageError
from edge_runtime.files.growing import GrowingFile
from edge_runtime.text.escape import csv_cell

LOGS = (".csv", ".jsonl")


class RunLog:
    """A file of rows, `.csv` or `.jsonl`. Each row is written at once. The first row replaces an earlier log.

    A CSV has the columns of its first row. JSON lines have all columns of each row.

    Raises:
        UsageError: the suffix is neither of the two, or another run writes the file.
        SinkError: the file cannot be written.
    """

    def __init__(self, target: str) -> None:
        check(target)
        self._json = target.endswith(".jsonl")
        self._columns: List[str] = []
        self._file = GrowingFile(target)

    def __call__(self, row: Dict[str, Any]) -> None:
        """Writes a row. The first row sets the columns of a CSV.

        Raises:
            SinkError: it could not be written.
        """
        self._file.append((json.dumps(row) + "\n" if self._json else self._csv(flat(row))).encode())

    def close(self) -> None:
        """Closes the file. It may be called more than once."""
        self._file.close()

    def _csv(self, cells: Dict[str, Any]) -> str:
        text, head = io.StringIO(), not self._columns
        self._columns = self._columns or list(cells)
        writer = csv.writer(text, lineterminator="\n")
        if head:
            writer.writerow(map(csv_cell, self._columns))
        writer.writerow([csv_cell(cells.get(name, "")) for name in self._columns])
        return text.getvalue()


def check(target: str) -> None:
    """Refuses a file that is no log. It is not opened.

    Raises:
        UsageError: its suffix is none of `LOGS`.
    """
    if Path(target).suffix not in LOGS:
        raise UsageError(f"a log is no {target!r}", hint=f"expected a file that ends in {' or '.join(LOGS)}")


def flat(row: Dict[str, Any]) -> Dict[str, Any]:
    """Columns of a row: VDD_IN_w, gpu_c, gpu_mhz, throttle_over_current, latency_p50_ms, inference_p50_ms."""
    ends = {
        "rails_w": "{}_w",
        "temperatures_c": "{}_c",
        "clocks": "{}",
        "throttle": "throttle_{}",
        "accuracy": "accuracy_{}",
        "counts": "{}",
    }
    cells: Dict[str, Any] = {}
    for name, value in row.items():
        if name in ends:
            cells.update({ends[name].format(key): item for key, item in value.items()})
        elif name == "latency_ms":
            cells.update({f"latency_{key}_ms": item for key, item in value.items()})
        elif name == "stage_ms":
            cells.update({f"{stage}_{key}_ms": item for stage, all_ in value.items() for key, item in all_.items()})
        else:
            cells[name] = value
    return cells
