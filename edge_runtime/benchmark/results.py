"""Results of benchmarks as files: JSON with everything, CSV with one line per row. Merges and compares results."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from edge_runtime.benchmark import row_fields
from edge_runtime.energy.runlog import flat
from edge_runtime.errors import UsageError
from edge_runtime.files import read
from edge_runtime.files.fields import check_fields, show
from edge_runtime.text.escape import csv_cell

FORMAT = 1
MOST = 256 * read.MIB  # largest size of a result file, bytes
KEYS = ("engine", "board", "mode", "batch", "streams")  # rows with equal values here measure the same
COMPARED = ("fps", "fps_engine", "mean_w", "fps_per_watt", "joules_per_frame", "accuracy")
NESTED = ("windows", "trace", "ap", "study")
Row = Dict[str, Any]


def to_json(rows: Sequence[Row], command: str) -> str:
    """Returns the content of a result file."""
    return json.dumps({"format": FORMAT, "command": command, "rows": list(rows)}, indent=1) + "\n"


def read_rows(path: Path) -> List[Row]:
    """Reads the rows of a result file.

    Raises:
        UsageError: it is not a result file.
    """
    try:
        content = read.parse_json_object(read.read_text(path, MOST))
    except ValueError as error:
        raise UsageError(f"{path} holds no benchmark: it {error}", hint="edge-bench --output FILE.json") from error
    if content.get("format") != FORMAT:
        raise UsageError(f"{path} has format {show(content.get('format'))}", hint=f"this version reads {FORMAT}")
    check_fields({"rows": content.get("rows")}, {"rows": row_fields.ROWS}, f"{path}: ", UsageError)
    return [dict(row) for row in content["rows"]]


def to_csv(rows: Sequence[Row]) -> str:
    """Returns one line per row, valid or not. Lists and traces are only in the JSON."""
    cells = [flat({name: _cell(value) for name, value in row.items() if name not in NESTED}) for row in rows]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    writer.writerows([csv_cell(row.get(name, "")) for name in columns] for row in cells)
    return text.getvalue()


def merge_rows(parts: Sequence[Sequence[Row]]) -> List[Row]:
    """Returns all rows. Of rows that measure the same on the same machine, only the later one is kept."""
    return list({merge_key(row): row for rows in parts for row in rows}.values())


@dataclass(frozen=True)
class Change:
    """One number in two results.

    Attributes:
        ratio: after / before; for accuracy the difference.
        beyond_spread: whether the ranges of the windows do not overlap; None if no spread is known.
    """

    name: str
    before: float
    after: float
    ratio: float
    beyond_spread: Optional[bool]


def compare_rows(before: Sequence[Row], after: Sequence[Row]) -> Tuple[List[Tuple[Row, List[Change]]], List[str]]:
    """Returns what changed in rows that both results have, and why other rows are left out."""
    then = {key(row): row for row in before}
    found, left_out = [], []
    for row in after:
        old = then.pop(key(row), None)
        if old is None:
            left_out.append(f"{title(row)}: only in the second")
        elif not (old["valid"] and row["valid"]):
            which, bad = ("first", old) if not old["valid"] else ("second", row)
            left_out.append(f"{title(row)}: not valid in the {which}: {'; '.join(bad['reasons'])}")
        else:
            found.append((row, [change for name in COMPARED for change in _change(name, old, row)]))
    return found, [*left_out, *(f"{title(row)}: only in the first" for row in then.values())]


def key(row: Row) -> Tuple[Any, ...]:
    """Returns what two rows have in common if they measure the same."""
    return tuple(row.get(name) for name in KEYS)


def merge_key(row: Row) -> Tuple[Any, ...]:
    """Returns what two rows have in common if they measure the same on the same machine."""
    return (*key(row), row.get("cpu"), row.get("name"))


def platform(row: Row) -> str:
    """Returns what the machine of a row is called: the board, or else the processor."""
    return str(row.get("board") or row.get("cpu") or "a machine without a name")


def seen(row: Row) -> str:
    """Why the network may have been trained on the pictures of its AP; empty if nobody says so."""
    return str((row.get("study") or {}).get("seen") or "")


def title(row: Row) -> str:
    """Returns what a row measures, in one line."""
    parts = [str(row.get("name") or row["engine"]), str(row.get("mode") or "")]
    parts += [f"{name} {row[name]}" for name in ("batch", "streams") if row[name] != 1]
    return ", ".join(filter(None, parts))


def _change(name: str, old: Row, new: Row) -> List[Change]:
    before, after = _value(old.get(name)), _value(new.get(name))
    if before is None or after is None or (name != "accuracy" and not before):
        return []
    apart = None
    if name == "fps":
        apart = new["fps_low"] > old["fps_high"] or new["fps_high"] < old["fps_low"]
    return [Change(name, before, after, after - before if name == "accuracy" else after / before, apart)]


def _value(value: Any) -> Optional[float]:
    number = value["value"] if isinstance(value, dict) else value
    return None if number is None else float(number)


def _cell(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, list) else value
