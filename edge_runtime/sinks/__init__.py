"""Sinks: results out.

A member is a module with

    HANDLES                                  suffixes (".jsonl"), schemes ("yolo:") or names ("window") it opens
    PRIORITY                                 who is preferred where several match (default 0)
    ONE_PICTURE                              True where all sources share what it shows: they become a grid (optional)
    open(target, options) -> Sink
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Dict, Protocol, Sequence, Tuple, cast

from edge_runtime import plugins
from edge_runtime.errors import UsageError
from edge_runtime.sinks._grid import Grid
from edge_runtime.sinks._paths import SOURCE, written_path
from edge_runtime.sinks._per_source import PerSource
from edge_runtime.types import Result

__all__ = ["Sink", "SinkOptions", "open", "written_path"]
KINDS = "out.mp4, out.jsonl, out.csv, out.coco.json, drawn/ (pictures), yolo:labels/ (YOLO txt), window, -"
NEAR: Dict[Tuple[str, ...], str] = {  # what users type, and what they may mean
    (".json",): "out.coco.json for COCO, out.jsonl for a line per frame",
    (".txt",): "yolo:labels/ for a text file per picture, out.csv for one table",
    (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"): "a folder with / at the end, for a picture per frame",
    (".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".gif"): "out.mp4, out.mkv or out.avi",
    (".tsv", ".xls", ".xlsx", ".parquet"): "out.csv",
}


@dataclass(frozen=True)
class SinkOptions:
    """What a sink may need to know.

    Attributes:
        fps: nominal rate, for video files: of the fastest source.
        labels: the model's class names, for legends.
        sources: name and nominal rate of each source, where that is known.
    """

    fps: float = 30.0
    labels: Sequence[str] = field(default=())
    sources: Sequence[Tuple[str, float]] = field(default=())


class Sink(Protocol):
    """An open sink; one thread calls it. `target` is as the user gave it."""

    target: str

    def write(self, result: Result) -> None:
        """Takes one result. The image is valid only during the call.

        Raises:
            SinkError: it could not be written; everything written before is intact.
        """

    def close(self) -> None:
        """Finishes files so that they are complete; harmless when repeated.

        Raises:
            SinkError: they could not be finished.
        """


def open(target: str, options: SinkOptions = SinkOptions()) -> Sink:
    """Opens a sink by path or URI: `out.jsonl`, `out.mp4`, `dir/`, `yolo:labels/`, `window`.

    `{source}` in it stands for the name of a source: each source gets a sink of its own.

    Raises:
        SinkError: it cannot be written to.
        UsageError: no member handles such a target.
    """
    if SOURCE in target:
        return PerSource(target, options, open)
    unknown = re.search(r"\{\w*\}", target)
    if unknown:
        raise UsageError(f"{unknown[0]} in {target!r} stands for nothing", hint=f"{SOURCE} is the name of a source")
    try:
        member = plugins.pick("sinks", target)
    except UsageError as error:
        raise UsageError(f"no output is written as {target!r}", hint=_near(target)) from error
    sink = cast(Sink, member.open(target, options))
    shared = len(options.sources) > 1 and getattr(member, "ONE_PICTURE", False)
    return Grid(sink, [name for name, _ in options.sources]) if shared else sink


def _near(target: str) -> str:
    if os.path.isdir(target):
        return f"did you mean {target}/ for a picture per frame, or yolo:{target}/ for a text file per picture?"
    meant = next((hint for endings, hint in NEAR.items() if target.lower().endswith(endings)), "")
    return f"did you mean {meant}?" if meant else f"expected one like {KINDS}"
