"""One sink for each source, where a target holds `{source}`."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Dict, Sequence

from edge_runtime.errors import EdgeError, SinkError, UsageError
from edge_runtime.sinks._names import source_names
from edge_runtime.sinks._paths import SOURCE, written_path
from edge_runtime.types import Result

if TYPE_CHECKING:
    from edge_runtime.sinks import Sink, SinkOptions


class PerSource:
    """Gives each result to the sink of its source; all are opened at once, so that errors come before the first frame.

    Args:
        target: what is opened, with `{source}` for the name of the source; folders that it names are made.
        options: `sources` says which there are.
        open_sink: opens one.

    Raises:
        SinkError: one of them cannot be written to; those before it are closed.
        UsageError: it is not known which sources there are, or two have the same name.
    """

    def __init__(self, target: str, options: SinkOptions, open_sink: Callable[[str, SinkOptions], Sink]) -> None:
        self.target = target
        self._sinks: Dict[str, Sink] = {}
        _check(target, [name for name, _ in options.sources])
        rates = dict(options.sources)
        try:
            for source, name in source_names(list(rates)).items():
                _make_folder(target, name)
                one = replace(options, fps=rates[source], sources=((source, rates[source]),))
                self._sinks[source] = open_sink(target.replace(SOURCE, name), one)
        except EdgeError:
            self.close()
            raise

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        self._sinks[result.frame.source].write(result)

    def close(self) -> None:
        """See `Sink.close`. All are closed, whatever one of them says."""
        errors = []
        for sink in self._sinks.values():
            try:
                sink.close()
            except EdgeError as error:
                errors.append(error)
        if errors:
            raise errors[0]


def _check(target: str, sources: Sequence[str]) -> None:
    if not sources:
        raise UsageError(f"no sources are known for {target!r}", hint=f"{SOURCE} is for outputs of a pipeline")
    name, count = Counter(sources).most_common(1)[0]
    if count > 1:
        raise UsageError(f"{name} is given twice, and {target!r} has one file for it", hint="give it once")


def _make_folder(target: str, name: str) -> None:
    folder = os.path.dirname(str(written_path(target)))
    if SOURCE not in folder:
        return
    try:
        os.makedirs(folder.replace(SOURCE, name), exist_ok=True)
    except OSError as error:
        hint = "is there a file of that name, or no permission?"
        raise SinkError(f"{target!r} cannot be made a folder: {error.strerror}", hint=hint) from error
