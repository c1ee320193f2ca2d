"""What a command prints: data is shown, never obeyed by the terminal, and no password reaches stderr."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Optional

from edge_runtime.text import escape
from edge_runtime.text.secrets import redact

if TYPE_CHECKING:
    from rich.console import Console


@contextlib.contextmanager
def escaped() -> Iterator[None]:
    """Everything printed meanwhile is escaped, usage errors and tracebacks too. Also a decorator for `main`."""
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Escaped(stdout, escape.lines), _Escaped(stderr, lambda text: redact(escape.lines(text)))
    try:
        with _any_character(stdout), _any_character(stderr):
            yield
    finally:
        sys.stdout, sys.stderr = stdout, stderr


def unescaped(stream: Any) -> Any:
    """The stream as it was, for our own control codes: bars, colours, a line that is written over."""
    return getattr(stream, "unescaped", stream)


def console(stderr: bool = False, width: Optional[int] = None) -> Console:
    """A console without markup, emoji and highlighting; what it prints has to be `printable`."""
    from rich.console import Console

    stream = unescaped(sys.stderr if stderr else sys.stdout)
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


class _Escaped:
    """A text stream that rewrites what is written to it."""

    def __init__(self, stream: Any, rewrite: Callable[[str], str]) -> None:
        self.unescaped = unescaped(stream)
        self._stream, self._rewrite = stream, rewrite

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._stream.write(self._rewrite(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


@contextlib.contextmanager
def _any_character(stream: Any) -> Iterator[None]:
    """A terminal that knows ASCII alone gets the rest spelled out, as it would not print it at all."""
    before = getattr(stream, "errors", None)
    if not hasattr(stream, "reconfigure"):
        yield
        return
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)
