"""Progress on a terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable, Iterator, Sequence

from edge_runtime.cli import _streams


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """Bars with time left on a terminal, silent elsewhere; gives a function that begins one and returns its tick."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bars(columns) as bars:

        def begin(label: str, total: int) -> Callable[[], None]:
            task = bars.add_task(label, total=total or None)
            return lambda: bars.advance(task)

        yield begin


@contextlib.contextmanager
def fraction(label: str) -> Iterator[Callable[[float, str], None]]:
    """A bar from 0 to 1 on a terminal, with the time gone by: it moves on its own where nobody says how far it is."""
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with _bars(columns) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, phase: bars.update(task, total=1.0, completed=done)
        bars.update(task, total=1.0, completed=1.0)


@contextlib.contextmanager
def _bars(columns: Sequence[Any]) -> Iterator[Any]:
    from rich.progress import Progress

    console = _streams.console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bars, _streams.escaped():
        yield bars  # what is printed meanwhile goes through rich, which obeys control codes
