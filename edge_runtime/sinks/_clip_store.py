"""A folder of clips, with a list of those that were written, of which the oldest are removed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Any, Collection, Dict, Optional

from edge_runtime.errors import SinkError, UsageError
from edge_runtime.files.atomic import replace_file
from edge_runtime.files.lock import locked
from edge_runtime.files.read import read_bytes

LIST = "clips.jsonl"
MOST_LIST_BYTES = 1 << 26
OURS = re.compile(r"[\w-][\w.-]{0,200}\.(mp4|mkv)")


class ClipStore:
    """Knows the clips of a folder by its list. A file that is not in the list is never touched.

    Args:
        folder: it is created.
        keep_bytes: the most bytes of all clips; None for no limit.
        keep_days: the most days of a clip; None for no limit.

    Attributes:
        removed: number of clips that were removed.

    Raises:
        SinkError: it cannot be written.
        UsageError: another run writes there.
    """

    def __init__(self, folder: str, keep_bytes: Optional[float], keep_days: Optional[float]) -> None:
        self._folder, self._bytes, self._days = Path(folder), keep_bytes, keep_days
        self.removed = 0
        self._open = contextlib.ExitStack()
        self._clips: Dict[str, Dict[str, Any]] = {}
        try:
            os.makedirs(folder, exist_ok=True)
            self._open.enter_context(locked(self._folder / LIST))
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, os.strerror(13))
            self._read()
        except UsageError:
            raise
        except (OSError, ValueError) as error:
            self._open.close()
            why, hint = getattr(error, "strerror", None) or error, "is it a folder, and may you write to it?"
            raise SinkError(f"clips cannot be written to {folder!r}: {why}", hint=hint) from error

    def path(self, name: str) -> Path:
        """Where a clip of this name lies."""
        return self._folder / name

    def note(self, name: str, about: Dict[str, Any]) -> None:
        """Notes that a clip begins, before its file does, and that it ends. So one whose process is killed is listed.

        Raises:
            OSError: it could not be noted.
        """
        self._append({"file": name, **about})

    def forget(self, name: str) -> bool:
        """Removes a clip, such as one that could not be written. False if its file stays."""
        try:
            self.path(name).unlink()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                return False
        self._clips.pop(name, None)
        return True

    def clean(self, busy: Collection[str]) -> None:
        """Removes the oldest clips until the rest is within the limits. Those that are being written stay."""
        sizes = {name: size for name, size in ((name, self._size(name)) for name in self._clips) if size is not None}
        too_old_s = None if self._days is None else time.time() - 86_400 * self._days
        total, gone = sum(sizes.values()), False
        for name in sorted(sizes, key=lambda name: float(self._clips[name]["time"])):
            old = too_old_s is not None and float(self._clips[name]["time"]) < too_old_s
            over = self._bytes is not None and total > self._bytes
            if name not in busy and (old or over) and self.forget(name):
                self.removed, total, gone = self.removed + 1, total - sizes[name], True
        if gone or len(sizes) < len(self._clips):
            kept = {*sizes, *busy}  # one that has just begun has no file yet
            self._clips = {name: about for name, about in self._clips.items() if name in kept}
            self._write()

    def close(self) -> None:
        """Lets another run write there. It may be called more than once."""
        self._open.close()

    def _size(self, name: str) -> Optional[int]:
        """None if there is no such file, or something else of that name."""
        try:
            about = self.path(name).lstat()
        except OSError:
            return None
        return about.st_size if stat.S_ISREG(about.st_mode) else None

    def _append(self, row: Dict[str, Any]) -> None:
        """Appends a line. A kill or a full disk may have cut off the one before."""
        with open(self.path(LIST), "ab+") as file:
            if file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
                file.write(b"\n")
            file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        self._take(row)

    def _take(self, row: Dict[str, Any]) -> None:
        self._clips[row["file"]] = {**self._clips.get(row["file"], {}), **row}

    def _write(self) -> None:
        """Writes the list anew. If there is no place for it, the old one stays."""
        lines = [json.dumps(about, separators=(",", ":")) + "\n" for about in self._clips.values()]
        with contextlib.suppress(SinkError, OSError, ValueError):
            replace_file(self.path(LIST), "".join(lines).encode())

    def _read(self) -> None:
        """Reads the list. A line that is not one of ours, such as one that a kill cut off, is left out."""
        if not self.path(LIST).exists():
            return
        for line in read_bytes(str(self.path(LIST)), MOST_LIST_BYTES).splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                row = json.loads(line)
                if OURS.fullmatch(row["file"]) and float({**self._clips.get(row["file"], {}), **row}["time"]) >= 0:
                    self._take(row)
