"""Reads a program that prints what it measures, line by line. It runs in its own process."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import Callable, Collection, Dict, List, Optional, Sequence

from edge_runtime.errors import SourceError

FIRST_LINE_S = 10.0
Parse = Callable[[str], Dict[str, float]]


class Child:
    """A meter that reads the last line of a program.

    Args:
        name: name of the member.
        command: the program. `close` ends it.
        parse: returns the watts by rail of a line; {} if it has none.
        stale_s: a line older than this, in seconds, counts as a gap.

    Raises:
        SourceError: it does not start, or prints no watts within ten seconds.
    """

    def __init__(self, name: str, command: Sequence[str], parse: Parse, stale_s: float) -> None:
        self.name, self.gaps = name, 0
        self.rails: List[str] = []
        self._parse, self._stale_s = parse, stale_s
        self._latest: Dict[str, float] = {}
        self._said_s = 0.0
        self._spoken = threading.Event()
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise SourceError(f"{command[0]} does not start: {error.strerror}", hint="is it installed?") from error
        threading.Thread(target=self._listen, name=name, daemon=True).start()
        self._spoken.wait(FIRST_LINE_S)
        if not self._latest:
            self.close()
            raise SourceError(f"{name} says no watts", hint=f"run it by hand: {' '.join(command[:2])}")
        self.rails = list(self._latest)

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        """See `Meter.read_w`."""
        if time.monotonic() - self._said_s <= self._stale_s:
            return dict(self._latest)
        self.gaps += len(self.rails)
        return {}

    def close(self) -> None:
        """See `Meter.close`."""
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                rails = self._parse(line)
                if rails:
                    self._latest, self._said_s = rails, time.monotonic()
                    self._spoken.set()
        self._spoken.set()
