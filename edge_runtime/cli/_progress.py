"""Progress on a terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import Callable, Iterator


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """Bars with time left on a terminal, silent elsewhere; gives a function that begins one and returns its tick."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:

        def begin(label: str, total: int) -> Callable[[], None]:
            task = bars.add_task(label, total=total or None)
            return lambda: bars.advance(task)

        yield begin


@contextlib.contextmanager
def fraction(label: str) -> Iterator[Callable[[float, str], None]]:
    """A bar from 0 to 1 on a terminal, with the time gone by: it moves on its own where nobody says how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, phase: bars.update(task, total=1.0, completed=done)
        bars.update(task, total=1.0, completed=1.0)
