"""One sink for each source, for a target with `{source}`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable, Dict, Mapping

from edge_runtime.errors import EdgeError, SinkError, UsageError
from edge_runtime.sinks._names import source_names
from edge_runtime.sinks._paths import SOURCE, written_path
from edge_runtime.types import Result

if TYPE_CHECKING:
    from edge_runtime.sinks import Sink


class PerSource:
    """Gives each result to the sink of its source. All sinks are opened when the sources are known, before any result.

    Args:
        target: the target, with `{source}` for the name of the source. Missing folders are created.
        open_sink: opens one sink.
        tell: see `sinks.begin`.
    """

    def __init__(
        self, target: str, open_sink: Callable[[str], Sink], tell: Callable[[Sink, Mapping[str, float]], None]
    ) -> None:
        self.target, self._open, self._tell = target, open_sink, tell
        self._sinks: Dict[str, Sink] = {}

    @property
    def note(self) -> str:
        """See `sinks.note`."""
        return next((str(getattr(sink, "note", "")) for sink in self._sinks.values()), "")

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`.

        Raises:
            SinkError: one of them cannot be written. Those before it are closed.
        """
        try:
            for source, name in source_names(list(rates)).items():
                self._open_one(source, name, rates[source])
        except EdgeError:
            self.close()
            raise

    def admit(self, source: str, rate: float) -> None:
        """See `sinks.admit`. Of a source that comes back, the results go on in the same output."""
        if source not in self._sinks:
            self._open_one(source, source_names([*self._sinks, source])[source], rate)

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        sink = self._sinks.get(result.frame.source)
        if sink is None:
            message = f"no source {result.frame.source!r} was known for {self.target!r}"
            raise UsageError(message, hint=f"{SOURCE} is for outputs of a pipeline")
        sink.write(result)

    def close(self) -> None:
        """See `Sink.close`. All are closed, even if one of them fails."""
        errors = []
        for sink in self._sinks.values():
            try:
                sink.close()
            except EdgeError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _open_one(self, source: str, name: str, rate: float) -> None:
        _make_folder(self.target, name)
        self._sinks[source] = self._open(self.target.replace(SOURCE, name))
        self._tell(self._sinks[source], {source: rate})


def _make_folder(target: str, name: str) -> None:
    folder = os.path.dirname(str(written_path(target)))
    if SOURCE not in folder:
        return
    try:
        os.makedirs(folder.replace(SOURCE, name), exist_ok=True)
    except OSError as error:
        hint = "does a file have that name, or is the permission missing?"
        raise SinkError(f"{target!r} cannot be made a folder: {error.strerror}", hint=hint) from error
