"""The sources and sinks that users name: a text, a path, a camera number, an open one, or several of these."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import PurePath
from typing import Any, List, Sequence, SupportsIndex, Union

from edge_runtime import sinks, sources
from edge_runtime.errors import UsageError
from edge_runtime.loop.stream import Stream, as_stream
from edge_runtime.sinks import AnySink, Sink, SinkOptions
from edge_runtime.sources import Source, SourceOptions

AnyPath = Union[str, "os.PathLike[str]"]
SourceTarget = Union[AnyPath, SupportsIndex]
SOURCE_HINT = "a path, a URI, a camera number, an open source, or a list of these"
SINK_HINT = "out.jsonl, out.mp4, a folder, an open sink, or a list of these"


def open_source(target: SourceTarget, options: SourceOptions = SourceOptions()) -> Source:
    """Opens a source with options that a name cannot say: size, rate, loop.

        source = open_source(0, SourceOptions(size_wh=(1280, 720)))

    Args:
        target: a path, URI, folder or glob, or a camera number.

    Raises:
        SourceError: it cannot be opened.
        UsageError: nothing opens such a target.
    """
    return sources.open(_source_text(target), options)


def open_sink(target: AnyPath, options: SinkOptions = SinkOptions()) -> Sink:
    """Opens a sink: `out.jsonl`, `out.mp4`, a folder (`drawn/`), `window`.

    Raises:
        SinkError: it cannot be written.
        UsageError: nothing opens such a target, or it takes events. A `Pipeline` opens those.
    """
    return sinks.open(_sink_text(target), options)


def list_streams(given: Any) -> List[Stream]:
    """The sources that a `Pipeline` was given, as streams.

    Raises:
        UsageError: there is no source, or something else.
    """
    found = [as_stream(item) for item in _several(given)]
    list_sources([stream.source for stream in found])
    return found


def list_sources(given: Union[SourceTarget, Source, Sequence[Union[SourceTarget, Source]]]) -> List[Union[str, Source]]:
    """The sources that a `Pipeline` was given, as a list. Texts must still be opened, the others are open.

    Raises:
        UsageError: there is no source, or something else.
    """
    listed = [item if _has(item, "read", "live") else _source_text(item) for item in _several(given)]
    if not listed:
        raise UsageError("no source", hint=f"give {SOURCE_HINT}")
    return listed


def list_sinks(given: Union[AnyPath, AnySink, Sequence[Union[AnyPath, AnySink]]]) -> List[Union[str, AnySink]]:
    """The sinks that a `Pipeline` was given, as a list. Texts must still be opened, the others are open.

    Raises:
        UsageError: one of them is not a sink.
    """
    return [item if _is_sink(item) else _sink_text(item) for item in _several(given)]


def _several(given: Any) -> List[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _is_sink(item: Any) -> bool:
    return _has(item, "write", "target") or _has(item, "take", "target")


def _has(item: Any, *names: str) -> bool:
    return all(hasattr(item, name) for name in names)


def _source_text(target: Any) -> str:
    if isinstance(target, (str, os.PathLike)):
        return os.fsdecode(target)
    if isinstance(target, Integral) and not isinstance(target, bool) and int(target) >= 0:
        return str(int(target))
    raise UsageError(f"{_shown(target)} is no source", hint=f"give {SOURCE_HINT}; detector(image) takes pictures")


def _sink_text(target: Any) -> str:
    """A path object cannot end in "/", so one without a suffix means a folder."""
    if isinstance(target, PurePath) and not target.suffix:
        return f"{target}/"
    if isinstance(target, (str, os.PathLike)):
        return os.fsdecode(target)
    raise UsageError(f"{_shown(target)} is no sink", hint=f"give {SINK_HINT}")


def _shown(value: Any) -> str:
    return repr(value) if value is None or isinstance(value, (bool, int, float)) else type(value).__name__
