"""One sink for each source, where a target holds `{source}`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Dict

from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.sinks._names import source_names
from edge_runtime.types import Result

if TYPE_CHECKING:
    from edge_runtime.sinks import Sink, SinkOptions

SOURCE = "{source}"


class PerSource:
    """Gives each result to the sink of its source; all are opened at once, so that errors come before the first frame.

    Args:
        target: what is opened, with `{source}` for the name of the source.
        options: `sources` says which there are.
        open_sink: opens one.

    Raises:
        SinkError: one of them cannot be written to; those before it are closed.
        UsageError: it is not known which sources there are, or two have the same name.
    """

    def __init__(self, target: str, options: SinkOptions, open_sink: Callable[[str, SinkOptions], Sink]) -> None:
        self.target = target
        self._sinks: Dict[str, Sink] = {}
        rates = dict(options.sources)
        again = [name for name, count in Counter(name for name, _ in options.sources).items() if count > 1]
        if again:
            raise UsageError(f"{again[0]} is given twice, and {target!r} has one file for it", hint="give it once")
        if not rates:
            raise UsageError(f"no sources are known for {target!r}", hint=f"{SOURCE} is for outputs of a pipeline")
        try:
            for source, name in source_names(list(rates)).items():
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
