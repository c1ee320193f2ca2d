"""What a command prints: data is shown, never obeyed by the terminal, and no password reaches stderr."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Optional

from edge_runtime.text import escape
from edge_runtime.text.secrets import redact

if TYPE_CHECKING:
    from rich.console import Console


@contextlib.contextmanager
def escaped() -> Iterator[None]:
    """Everything printed meanwhile is escaped, usage errors and tracebacks too. Also a decorator for `main`."""
    before = sys.stdout, sys.stderr
    stdout, stderr = _lasting(sys.stdout), _lasting(sys.stderr)
    sys.stdout, sys.stderr = _Escaped(stdout, escape.lines), _Escaped(stderr, lambda text: redact(escape.lines(text)))
    try:
        with _any_character(stdout), _any_character(stderr):
            yield
    finally:
        sys.stdout, sys.stderr = before
        _flush(stdout)


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


class _Lasting(io.FileIO):
    """Standard output or error that may go: what is written to a terminal that was closed goes nowhere from then on.

    That costs no run anything. Nor does an error output whose reader has left; a reader of the results who leaves is
    the command's to know.
    """

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            gone = (errno.EIO, errno.EPIPE) if self.fileno() == 2 else (errno.EIO,)
            if error.errno not in gone:
                raise
            forget(self.fileno())
            return len(content)


def forget(descriptor: int) -> None:
    """What is written there from now on goes nowhere, also what programs that are started write."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except BrokenPipeError:
        forget(stream.fileno())


def _lasting(stream: Any) -> Any:
    """The process's own streams as such; others, and those that are it already, as they are; closed ones go nowhere."""
    if stream is None:
        return open(os.devnull, "w")
    if not isinstance(stream, io.TextIOWrapper) or stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    stream.flush()
    raw = _Lasting(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=stream.line_buffering
    )


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
