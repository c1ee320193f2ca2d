"""Sources give frames.

A member is a module with

    HANDLES                         suffixes (".mp4"), schemes ("rtsp://") or whole names ("demo") it opens
    PRIORITY                        the highest is preferred if several match (default 0)
    available() -> str | None       None if its libraries are here, else the reason (optional)
    open(target, options) -> Source
    check(target, options)          refuses what `open` refuses, and opens nothing (optional)
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Dict, Iterable, List, Optional, Protocol, Tuple, cast

import numpy as np
from numpy.typing import NDArray

from edge_runtime import plugins
from edge_runtime.errors import UsageError
from edge_runtime.files import fields, given
from edge_runtime.files.fields import check_fields
from edge_runtime.sources._state import STATES, SourceState
from edge_runtime.text import secrets
from edge_runtime.types import Frame
from edge_runtime.types.packets import PacketRing

__all__ = ["STATES", "Skipped", "Source", "SourceOptions", "SourceState", "open", "public_name", "repeatable", "states"]
KEPT = 1000  # items that were skipped
KINDS = "photo.jpg, photos/, clip.mp4, 0 (a camera), csi://0, rtsp://…, http://…, gst:…, demo, synthetic://1280x720@30"


@dataclass(frozen=True)
class SourceOptions:
    """What a user may ask of a source. A source ignores what it cannot use.

    Attributes:
        size_wh: wanted (width, height) in pixels, for cameras and generated sources.
        fps: wanted frames per second.
        loop: start again at the end of a file.
        shrink_wh: let the pipeline scale frames down to fit into (width, height); GStreamer only.
        wait: a live source may be away at the start, and is opened later.
        max_tries: tries in a row after which a live source that is lost fails; None: it is tried for ever.
        ca_file: certificates (PEM) that vouch for servers of rtsps:// and https://; "none" checks nothing. None: our
            client of rtsps:// takes those of the system, and FFmpeg, which reads all other streams, checks nothing.
        packets: where to keep encoded pictures for clips. Frames that are not encoded are encoded for it.
        patience_s: seconds in which a network stream must answer and each of its pictures must come. None: 5 s, through
            GStreamer 10 s. A camera with a picture every 10 s needs more.
    """

    size_wh: Optional[Tuple[int, int]] = None
    fps: Optional[float] = None
    loop: bool = False
    shrink_wh: Optional[Tuple[int, int]] = None
    wait: bool = False
    max_tries: Optional[int] = None
    ca_file: Optional[str] = None
    packets: Optional[PacketRing] = None
    patience_s: Optional[float] = None

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)


FIELDS = {
    "size_wh": fields.optional(fields.size()),
    "fps": fields.optional(fields.number(0, 10_000, above=True)),
    "loop": fields.flag(),
    "shrink_wh": fields.optional(fields.size()),
    "wait": fields.flag(),
    "max_tries": fields.optional(fields.whole(1, 10**9)),
    "ca_file": fields.optional(fields.text()),
    "packets": fields.anything(),
    "patience_s": fields.optional(fields.number(0, 3600, above=True)),
}


class Skipped(List[str]):
    """The items that a source skipped: the last thousand, and before them a line with the number of earlier ones."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0

    def append(self, item: str) -> None:
        """One more."""
        super().append(item)
        if len(self) > KEPT:
            self._lost += 1 if self._lost else 2  # the line needs the place of one item
            del self[:2]
            self.insert(0, f"{self._lost} more before these")

    def __iadd__(self, items: Iterable[str]) -> Skipped:  # type: ignore[misc,override]
        for item in items:
            self.append(item)
        return self


class Source(Protocol):
    """An open source.

    Attributes:
        name: as the user gave it, without user, password and token.
        live: True if a newer frame replaces one that nobody took (cameras, network). False if every frame counts.
        fps: nominal frames per second; None if unknown.
        frame_count: number of frames that it will give; None if unknown or endless.
        description: one line for the log: size, rate, format as negotiated.
        skipped: items that were skipped (not an image, broken frame), as "item: reason"; see `Skipped`.
        restarts: how often it began again before the last frame: a file that loops, a recording in parts, a stream
            that reconnects. No object is tracked across that. A source that never does so need not have it.
        state: the `SourceState` of a live source. Others, and sources of your own, need not have it.
    """

    name: str
    live: bool
    fps: Optional[float]
    frame_count: Optional[int]
    description: str
    skipped: List[str]

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """The next frame; None at the end. Its image is in `buffer` (H, W, 3) uint8 if that fits, else in a new array.

        The image of a frame with pixels is made when it is asked for, so `buffer` must not serve two frames in hand.

        Raises:
            SourceError: the source failed. The frames before were good.
        """

    def close(self) -> None:
        """Releases device and file. It may be called more than once."""


def open(target: str, options: SourceOptions = SourceOptions()) -> Source:
    """Opens a source by URI, path, directory, glob or camera number. `env:NAME` and `@FILE` say where to find a URI.

    Raises:
        SourceError: it cannot be opened.
        UsageError: no member handles such a target.
    """
    target = given.address(target)
    return cast(Source, _member(target).open(target, options))


def check(target: str, options: SourceOptions = SourceOptions()) -> None:
    """Refuses what cannot be opened here: a missing variable or file, an unknown kind. It opens nothing.

    Raises:
        SourceError, UsageError: it is such a target.
    """
    target = given.address(target)
    look = getattr(_member(target), "check", None)
    if look is not None:
        look(target, options)
    kind = _kind(target)
    is_path = "://" not in kind and not kind.startswith(("camera:", "gst:", "demo"))
    if is_path and not os.path.exists(target) and not glob.glob(target):
        raise _no_source(target)


def _member(target: str) -> ModuleType:
    secrets.public(target)  # from here on no error shows its password
    try:
        return plugins.pick("sources", _kind(target))
    except UsageError as error:
        raise _no_source(target) from error


def repeatable(target: str, options: SourceOptions = SourceOptions()) -> bool:
    """Whether a second reader takes nothing from the first: so of a file, a folder, and what is generated at no rate.

    It is not so of cameras, streams, addresses and pipes. A file that does not exist is still one.
    """
    target = given.address(target)
    kind = _kind(target)
    scheme, _, rest = kind.partition("://")
    if scheme in ("demo", "synthetic"):
        return scheme == "demo" or not ("@" in rest or options.fps)
    if rest or kind.startswith(("camera:", "gst:")):
        return False
    return kind.endswith("/") or os.path.isfile(target) or not os.path.exists(target)


def _no_source(target: str) -> UsageError:
    """Said of what no member opens: a file of another kind, a wrong path, an address of another kind."""
    if os.path.exists(target):
        return UsageError(
            f"{target!r} is not named as a picture or a video",
            hint="a picture is .jpg, .png and so on, a video .mp4, .mkv and so on",
        )
    what = "source" if ":" in target else "file"
    return UsageError(f"no such {what}: {target!r}", hint=f"expected one like {KINDS}")


def states(opened: Iterable[Source]) -> List[Dict[str, Any]]:
    """The states of live sources as plain data; see `SourceState.summary`. `source` is the name in the pipeline."""
    found = ((source.name, getattr(source, "state", None)) for source in opened)
    return [{**state.summary(), "source": name} for name, state in found if isinstance(state, SourceState)]


def public_name(target: str) -> str:
    """The name of a source in results and messages: its address without a password.

    Raises:
        UsageError: the variable or file that should hold the address does not.
    """
    return secrets.public(given.address(target))


def _kind(target: str) -> str:
    """The text that HANDLES is compared with: directories and globs end in "/", camera numbers are "camera:N"."""
    if target.isdecimal() or target.startswith("/dev/video"):
        return f"camera:{target}"
    if ":" in target and os.path.isfile(target):  # gst:a.mp4 can be a file
        return os.path.abspath(target)
    if "://" in target or target.startswith("gst:"):
        return target
    if os.path.isdir(target) or (glob.has_magic(target) and not os.path.exists(target)):
        return target.rstrip("/") + "/"
    return target
