"""The rates of sources, for sinks that have to know them: known only once the sources are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

if TYPE_CHECKING:
    from edge_runtime.sinks import Sink


def begin(sink: Sink, rates: Mapping[str, float]) -> None:
    """Tells a sink the nominal frames per second of each source, by name; once, before the first result.

    A pipeline opens sinks before cameras, so that none is started for an output that cannot be written.
    """
    tell = getattr(sink, "begin", None)
    if tell is not None:
        tell(rates)
