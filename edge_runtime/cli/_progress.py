"""Progress: bars on a terminal. In a pipe or a log, a plain line on stderr every few seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any, Callable, Iterator, Sequence

from edge_runtime.cli import _streams
from edge_runtime.text.escape import printable

INTERVAL_S = 5.0
Begin = Callable[[str, int], Callable[[], None]]


@contextlib.contextmanager
def progress() -> Iterator[Begin]:
    """Gives a function that begins a bar with a number of ticks (0: unknown), and returns its tick."""
    if not sys.stderr.isatty():
        with Lines() as lines:
            yield lines.begin
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bars(columns) as bars:

        def begin(label: str, total: int) -> Callable[[], None]:
            task = bars.add_task(label, total=total or None)
            return lambda: bars.advance(task)

        yield begin


@contextlib.contextmanager
def fraction(label: str) -> Iterator[Callable[[float, str], None]]:
    """Gives a function that is told what is done and how much, 0 to 1. Between its calls the time still runs."""
    if not sys.stderr.isatty():
        with Lines() as lines:
            lines.begin(label, 0)
            yield lines.tell
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with _bars(columns) as bars:
        task = bars.add_task(label, total=None)

        def tell(done: float, phase: str) -> None:
            bars.update(task, total=1.0, completed=done, description=f"{label} {printable(phase)}".rstrip())

        yield tell
        bars.update(task, total=1.0, completed=1.0)


@contextlib.contextmanager
def _bars(columns: Sequence[Any]) -> Iterator[Any]:
    from rich.progress import Progress

    with Progress(*columns, console=_streams.console(stderr=True)) as bars, _streams.escaped():
        yield bars  # other prints go through rich meanwhile, which obeys control codes


class Lines:
    """Prints a line every `INTERVAL_S` while the block runs, from a thread, because work may not tick for a minute."""

    def __init__(self) -> None:
        self._label, self._said = "", ""
        self._done = self._total = 0
        self._began_s = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="progress", daemon=True)

    def __enter__(self) -> Lines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def begin(self, label: str, total: int) -> Callable[[], None]:
        """Begins a new count."""
        self._label, self._done, self._total, self._said = label, 0, total, ""
        return self._tick

    def tell(self, done: float, phase: str) -> None:
        """Notes how much is done, 0 to 1, and what is being done."""
        self._said = " ".join(part for part in (phase, f"{done:.0%}" if done else "") if part)

    @property
    def line(self) -> str:
        """The line, `images 12/40, 10 s`."""
        counted = f"{self._done}/{self._total}" if self._total else str(self._done or "")
        what = " ".join(part for part in (self._label, counted, self._said) if part)
        return f"{what or 'at work'}, {time.monotonic() - self._began_s:.0f} s"

    def _tick(self) -> None:
        self._done += 1

    def _work(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            with contextlib.suppress(OSError):  # nobody reads stderr any more, but the work goes on
                print(self.line, file=sys.stderr, flush=True)
