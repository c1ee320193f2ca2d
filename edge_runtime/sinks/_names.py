"""Names of files that are made of names of sources and frames."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, Sequence

from edge_runtime.types import Frame

LONGEST = 80  # file systems take 255 bytes, and more is added to it


class FrameNames:
    """Names of pictures, without suffix: that of the image file, or the number of the frame.

    With several sources the name of the source stands in front. Two files that differ in their suffix or folder alone
    keep apart; a file that comes again (`--loop`) has its name again.

    Args:
        sources: names of all sources. Where they are not said, the first that comes has no name in front.
    """

    def __init__(self, sources: Sequence[str] = ()) -> None:
        several = sources if len(sources) > 1 else ()
        self._fronts = {source: f"{name}_" for source, name in source_names(several).items()}
        self._owners: Dict[str, str] = {}  # which file a name was given to: one entry for each file of the sources

    def name(self, frame: Frame) -> str:
        """The name of one frame."""
        if frame.source not in self._fronts:
            name = source_names([*self._fronts, frame.source])[frame.source]
            self._fronts[frame.source] = f"{name}_" if self._fronts else ""
        front = self._fronts[frame.source]
        if frame.path is None:
            return f"{front}{frame.index:06d}"
        stem = f"{front}{Path(frame.path).stem}"
        name, number = stem, 1
        while self._owners.setdefault(name, frame.path) != frame.path:
            number += 1
            name = f"{stem}_{number}"
        return name


def source_names(sources: Sequence[str]) -> Dict[str, str]:
    """A name for each source that every file system takes, no two alike: "rtsp://cam/1" is cam_1, "a/x.mp4" is x."""
    found: Dict[str, str] = {}
    for source in sources:
        stem = _safe(source)
        name, number = stem, 1
        while name.casefold() in {taken.casefold() for taken in found.values()}:
            number += 1
            name = f"{stem}-{number}"
        found[source] = name
    return found


def _safe(source: str) -> str:
    """Letters, digits, `.`, `-` and `_` alone; the file's own name where it is a path."""
    scheme, separator, rest = source.partition("://")
    path = Path(source)
    last = (rest or scheme) if separator else (path.name if os.path.isdir(source) else path.stem)
    for text in (last, source, "source"):
        name = re.sub(r"[^\w.-]+", "_", text).strip("._-")[:LONGEST]
        if name:
            return name
    return "source"
