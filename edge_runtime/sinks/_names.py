"""Makes names of files from the names of sources and frames."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Container, Dict, Sequence, Set

from edge_runtime.types import Frame

LONGEST = 80  # file systems allow 255 bytes, and the name becomes longer


class FrameNames:
    """Names of pictures, without suffix: the name of the image file, or the number of the frame.

    With several sources, the name of the source comes first. Two files that differ only in suffix or folder get two
    names. A file that comes again (`--loop`) gets the same name again.

    Args:
        sources: names of all sources. If they are not given, the name of the first source is left out.
    """

    def __init__(self, sources: Sequence[str] = ()) -> None:
        several = sources if len(sources) > 1 else ()
        self._fronts = {source: f"{name}_" for source, name in source_names(several).items()}
        self._owners: Dict[str, str] = {}  # the file of each name: one entry for each file of the sources

    def name(self, frame: Frame) -> str:
        """The name of one frame."""
        if frame.source not in self._fronts:
            name = source_names([*self._fronts, frame.source])[frame.source]
            self._fronts[frame.source] = f"{name}_" if self._fronts else ""
        front = self._fronts[frame.source]
        if frame.path is None:
            return f"{front}{frame.index:06d}"
        own = frame.path == frame.source  # a source that is one picture has that picture's name
        stem = f"{'' if own else front}{Path(frame.path).stem}"
        name, number = stem, 1
        while self._owners.setdefault(name, frame.path) != frame.path:
            number += 1
            name = f"{stem}_{number}"
        return name


def source_names(sources: Sequence[str]) -> Dict[str, str]:
    """A different name for each source, which every file system accepts: "rtsp://cam/1" is cam_1, "a/x.mp4" is x."""
    found: Dict[str, str] = {}
    taken: Set[str] = set()
    for source in sources:
        found[source] = name_beside(source, taken)
        taken.add(found[source].casefold())
    return found


def name_beside(source: str, taken: Container[str]) -> str:
    """A name for one more source, none of those that are taken (`casefold`)."""
    stem = _safe(source)
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _safe(source: str) -> str:
    """A name of letters, digits, `.`, `-` and `_` only. For a path, it is made from the file's name."""
    scheme, separator, rest = source.partition("://")
    path = Path(source)
    last = (rest or scheme) if separator else (path.name if os.path.isdir(source) else path.stem)
    for text in (last, source, "source"):
        name = re.sub(r"[^\w.-]+", "_", text).strip("._-")[:LONGEST]
        if name:
            return name
    return "source"
