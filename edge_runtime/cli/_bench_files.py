"""Writes, merges and compares edge-bench's files, and prints its tables."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Optional, Sequence

from edge_runtime.benchmark import judged, results
from edge_runtime.benchmark.results import Row
from edge_runtime.cli import _files, _streams
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.errors import UsageError
from edge_runtime.files import atomic
from edge_runtime.files.outputs import Output
from edge_runtime.reports import benchmark as report
from edge_runtime.reports import pictures, study
from edge_runtime.text.escape import printable

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 160


def _page(rows: Sequence[Row], command: str) -> str:
    """A page of the rows: of a study, if a row is one of a study."""
    write = study.write_study_page if any(row.get("study") for row in rows) else report.write_benchmark_page
    return write(rows, command)


WRITERS = {
    ".json": results.to_json,
    ".csv": lambda rows, command: results.to_csv(rows),
    ".html": _page,
    ".md": study.write_study_markdown,
}


WRITES: _files.Writes = {"output": lambda args: [Output("-o", path) for path in args.output]}


def check(args: Namespace) -> None:
    """Refuses an `--output` that cannot be written, before hours of measuring.

    Raises:
        UsageError: a file has an unknown suffix.
        BackendUnavailable: matplotlib is not installed, for HTML.
    """
    for path in args.output:
        if path.suffix not in WRITERS:
            raise UsageError(f"a result is no {path.name!r}", hint=f"expected one of {', '.join(WRITERS)}")
        if path.suffix == ".html":
            pictures.check()


def write_files(rows: Sequence[Row], args: Namespace) -> ByProducts:
    """Writes each `--output` completely. If one fails, it is reported, and the others are still written."""
    written = ByProducts(args.verbose)
    for path in args.output:
        with written.attempt(str(path)):
            atomic.replace_file(path, WRITERS[path.suffix](rows, args.command).encode())
    return written


def merge(args: Namespace) -> int:
    """`edge-bench merge a.json b.json --output all.html`."""
    check(args)
    with _files.claimed(args, WRITES):
        rows = results.merge_rows([results.read_rows(path) for path in args.files])
        show(rows, args)
        return write_files(rows, args).exit_code


def compare_files(args: Namespace) -> int:
    """`edge-bench compare before.json after.json`."""
    from rich.table import Table

    before, after = (results.read_rows(path) for path in args.files)
    found, left_out = results.compare_rows(before, after)
    old = {results.key(row): row for row in before}
    verdicts = [judged.sentence(old[results.key(row)], row, args.max_drop) for row, _ in found]
    if args.json:
        rows = [{"row": results.title(row), "changes": [asdict(change) for change in changes], "verdict": verdict}
                for (row, changes), verdict in zip(found, verdicts)]  # fmt: skip
        print(json.dumps({"rows": rows, "left_out": left_out}))
        return 0
    table = Table("", "figure", "before", "after", "change", box=None, pad_edge=False)
    for row, changes in found:
        for number, change in enumerate(changes):
            noise = "" if change.beyond_spread in (None, True) else "  (within the spread)"
            said = f"{change.ratio:+.4f}" if change.name == "accuracy" else f"{change.ratio:.3f} x{noise}"
            label = printable(results.title(row)) if not number else ""
            table.add_row(label, change.name, f"{change.before:g}", f"{change.after:g}", said)
    console().print(table)
    for (row, _), verdict in zip(found, verdicts):
        if verdict:
            print(f"{results.title(row)}: {verdict}")
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    return 0


def show(rows: Sequence[Row], args: Namespace) -> None:
    """Prints the measured rows as a table on stdout, and on stderr why some are not valid. Or prints all as JSON."""
    if args.json:
        print(json.dumps(rows))
        return
    from rich.table import Table

    table = Table("", *(heading for _, heading, _ in report.COLUMNS), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        if row.get("fps") is not None:
            title = printable(results.title(row)) + ("" if row["valid"] else ", not valid")
            table.add_row(title, *(_cell(row.get(key), style) for key, _, style in report.COLUMNS))
        if not row["valid"]:
            print(f"not valid: {results.title(row)}: {'; '.join(row['reasons'])}", file=sys.stderr)
    if table.row_count:
        console().print(table)


def console() -> Console:
    """A width that fits the whole table if the output is not a terminal, because a file would miss the rest."""
    return _streams.console(width=None if sys.stdout.isatty() else WIDTH)


def _cell(value: Optional[Any], style: str) -> str:
    return "n/a" if value is None else style.format(value)
