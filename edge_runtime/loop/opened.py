"""What a run must know of the sources that are open: their names and rates."""

from __future__ import annotations

from typing import Dict, Sequence, Set

from edge_runtime.errors import UsageError
from edge_runtime.sources import Source

USUAL_FPS = 30.0


def name_apart(sources: Sequence[Source]) -> None:
    """Numbers sources of the same name, because counts, files and the grid's tiles go by the name of the source.

    Raises:
        UsageError: one open source is given twice.
    """
    names: Set[str] = set()
    for place, source in enumerate(sources):
        if any(source is other for other in sources[:place]):
            raise UsageError(f"{source.name} is given twice, and is one open source", hint="open it once more")
        name, number = source.name, 1
        while source.name in names:
            number += 1
            source.name = f"{name} ({number})"
        names.add(source.name)


def rates_of(sources: Sequence[Source]) -> Dict[str, float]:
    """Frames per second of each source, by name; a picture beside videos has the rate of the fastest of them."""
    known = {source.name: source.fps or USUAL_FPS for source in sources if source.fps or source.live}
    return {source.name: known.get(source.name, max(known.values(), default=USUAL_FPS)) for source in sources}
