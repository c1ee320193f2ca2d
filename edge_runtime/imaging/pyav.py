"""Loads PyAV late. It prints nothing, because it drops FFmpeg's log unless somebody asks for it."""

from __future__ import annotations

import logging
import re
from typing import Any, Optional, Tuple, Type

from edge_runtime import libraries
from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint
from edge_runtime.libraries.once import once

OLDEST = (12, 3)  # the newest for Python 3.8, and the oldest that is tested

log = logging.getLogger("edge_runtime")


@once
def reason() -> Optional[str]:
    """None if PyAV can be used, else why not."""
    absent = libraries.missing("av", install_hint("video"))
    if absent:
        return absent
    version = str(libraries.load_library("av").__version__)
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"av is {version}, the oldest that works is {oldest}: pip install 'av>={oldest}'"
    return None


def load_av() -> Any:
    """The module av.

    Raises:
        BackendUnavailable: PyAV cannot be loaded, or is too old.
    """
    why = reason()
    if why:
        fact, _, hint = why.partition(": ")
        raise BackendUnavailable(fact, hint=hint or install_hint("video"))
    return libraries.load_library("av")


def failures() -> Tuple[Type[Exception], ...]:
    """What PyAV raises for a file, stream or packet that FFmpeg does not read or write, or that has no video."""
    return load_av().error.FFmpegError, OSError, ValueError, LookupError


def preferred() -> bool:
    """Whether PyAV reads such a source. If it cannot, OpenCV does, and the log says so once."""
    why = reason()
    if why:
        _say_once(why)
    return why is None


@once
def _say_once(why: str) -> None:
    log.warning("OpenCV reads videos, streams and cameras, which is slower: %s", why)
