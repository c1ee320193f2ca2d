"""Finds the files that a target names."""

from __future__ import annotations

from typing import List, Optional, Sequence

from edge_runtime.files import given
from edge_runtime.sinks._names import source_names
from edge_runtime.sinks._query import split_query

SOURCE = "{source}"  # stands for the name of a source
YOLO, COCO = ("yolo:", "yolo-conf:"), "coco:"  # schemes, in front of a path
EVENTS, CLIPS = "events:", "clips:"  # the same, with options behind it
AN_ADDRESS = "output", "mqtt://…"  # what may stand in a variable or a file
COCO_SUFFIX, PART = ".coco.json", ".part.jsonl"


def written_path(target: str) -> Optional[str]:
    """The file or folder that a target names, without its scheme. None for a window, standard output and servers."""
    target = given.address(target, *AN_ADDRESS, options=True)
    for scheme in (EVENTS, CLIPS):
        if target.lower().startswith(scheme):
            target = split_query(target[len(scheme) :])[0]
    if target in ("window", "-") or "://" in target:
        return None
    scheme = next((scheme for scheme in (*YOLO, COCO) if target.lower().startswith(scheme)), "")
    return target[len(scheme) :]


def written_paths(target: str, sources: Sequence[str]) -> List[str]:
    """Every file or folder that a pipeline will write for a target. Nothing is opened.

    Args:
        target: an output, as the user gave it.
        sources: names of all sources, which `{source}` stands for.
    """
    path = written_path(target)
    if path is None:
        return []
    names = source_names(sources).values() if SOURCE in path else [SOURCE]
    found = [path.replace(SOURCE, name) for name in names]
    return [*found, *(f"{path}{PART}" for path in found if is_coco(target))]


def is_coco(target: str) -> bool:
    """Whether a target is a COCO file."""
    return target.lower().startswith(COCO) or target.lower().endswith(COCO_SUFFIX)


def is_yolo(target: str) -> bool:
    """Whether a target is a folder of YOLO's text files."""
    return target.lower().startswith(YOLO)


def is_clips(target: str) -> bool:
    """Whether a target is a folder of clips."""
    return target.lower().startswith(CLIPS)


def is_stdout(target: str) -> bool:
    """Whether a target is standard output."""
    return target == "-" or split_query(target)[0].lower() == f"{EVENTS}-"
