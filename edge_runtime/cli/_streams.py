"""Makes a command's output safe: the terminal does not obey control codes in data, and stderr shows no password."""

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
    """Escapes everything printed meanwhile, also usage errors and tracebacks. It is also a decorator for `main`."""
    before = sys.stdout, sys.stderr
    stdout, stderr = _lasting(sys.stdout), _lasting(sys.stderr)
    sys.stdout, sys.stderr = _Escaped(stdout, escape.lines), _Escaped(stderr, lambda text: redact(escape.lines(text)))
    try:
        with _any_character(stdout), _any_character(stderr):
            yield
    finally:
        sys.stdout, sys.stderr = before
        _flush(stdout)
        _flush(stderr)


def unescaped(stream: Any) -> Any:
    """The original stream, for our own control codes: bars, colours, a line that is overwritten."""
    return getattr(stream, "unescaped", stream)


def console(stderr: bool = False, width: Optional[int] = None) -> Console:
    """A console without markup, emoji and highlighting. Text for it must be `printable`."""
    from rich.console import Console

    stream = unescaped(sys.stderr if stderr else sys.stdout)
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


class _Escaped:
    """A text stream that changes what is written to it."""

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
    """Standard output or error that may disappear. Text for a closed terminal is dropped.

    The run goes on. It also goes on if the reader of stderr has ended. If the reader of stdout has ended, the command
    gets the error.
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
    """Drops all later output to the stream, also that of programs that are started."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except BrokenPipeError:
        forget(stream.fileno())


def _lasting(stream: Any) -> Any:
    """Wraps the process's own streams. Others and wrapped ones stay as they are. Output to closed ones is dropped."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper) or stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    stream.flush()
    raw: Any = _Lasting(stream.fileno(), "w", closefd=False)
    unbuffered, lines = stream.write_through, stream.line_buffering or stream is sys.__stderr__  # PYTHONUNBUFFERED
    buffer = raw if unbuffered else io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=lines, write_through=unbuffered)


@contextlib.contextmanager
def _any_character(stream: Any) -> Iterator[None]:
    """Spells out other characters for a terminal that knows only ASCII, because it would not print them."""
    before = getattr(stream, "errors", None)
    if not hasattr(stream, "reconfigure"):
        yield
        return
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)
