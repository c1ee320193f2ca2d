"""What all live sources do: cameras and streams that break are opened again, and their state is known."""

from __future__ import annotations

import threading
import time
from typing import Callable, List, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError
from edge_runtime.sources import Skipped, SourceOptions
from edge_runtime.sources._apart import Apart
from edge_runtime.sources._late import LATE_S, Lateness
from edge_runtime.sources._pictures import Capture, frame_of
from edge_runtime.sources._state import CONNECTING, LIVE, LOST, REFUSED, STALLED, SourceState
from edge_runtime.types import Frame

QUIET_S = 2.0  # without a frame for so long it is stalled; with a slow rate, for so many periods more
PERIODS = 3
QUIET_PART = 0.4  # of the patience that the user has
PAUSES_S = (0.1, 0.5, 1.0, 1.5)  # before each try; the last one is repeated
LONG_PAUSES_S = (30.0, 60.0, 120.0, 300.0)  # of a camera that refuses us, which may lock the account, or of Argus


class LiveSource:
    """A live source. When it breaks it is opened again, with growing pauses, for ever or `options.max_tries` times.

    Frames that come late after a freeze are left out, because they show the past. So are pictures that cannot be
    decoded, or only in part. `state` counts both, and they leave gaps in `index`.

    Args:
        name: of the source, without a password.
        make: opens the camera or connection.
        options: how often it is tried, and whether it may be away at the start.
        failure: the error for a reason, "" if the reason is unknown.
        where: words for the description, "from camera.local".

    Raises:
        SourceError: it cannot be opened, and `options.wait` is False: a wrong address should not look like an outage.
    """

    live = True
    frame_count: Optional[int] = None

    def __init__(
        self,
        name: str,
        make: Callable[[], Capture],
        options: SourceOptions,
        failure: Callable[[str], SourceError],
        where: str = "",
    ) -> None:
        self._options, self._failure, self._where = options, failure, where
        self.skipped: List[str] = Skipped()
        self.state = SourceState(name)
        self._late, self._closing = Lateness(), threading.Event()
        self._index = self._tries = self._refusals = self.restarts = 0
        self._apart = Apart(make)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self.state.source

    @name.setter
    def name(self, name: str) -> None:
        self.state.source = name

    @property
    def fps(self) -> Optional[float]:
        """See `Source.fps`."""
        capture = self._apart.capture
        return capture.fps if capture is not None and capture.opened else None

    @property
    def description(self) -> str:
        """See `Source.description`."""
        capture = self._apart.capture
        if capture is None or not capture.opened:
            return f"{self.name}: not there yet"
        rate = f"{self.fps:g} fps" if self.fps else "no stated rate"
        return " ".join(filter(None, (capture.size, capture.form, f"at {rate}", self._where)))

    def settle(self, timeout_s: float) -> bool:
        """Whether the first try to connect has ended, within the timeout.

        Raises:
            UsageError: it makes no sense.
        """
        ended = self._apart.wait(timeout_s)
        if ended:
            self._apart.take()
        return ended

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`. Waits while the source is away. The timestamp is the time at which the frame came.

        Raises:
            SourceError: it did not come back in `options.max_tries` tries.
        """
        self._apart.take()  # the first connection
        while not self._closing.is_set():
            picture = self._apart.read(buffer, self._quiet_s, self._quiet)
            capture = self._apart.capture
            if picture is not None and capture is not None:
                self._pass_over(capture)
                waited_s = time.monotonic() - capture.came_s
                if not self._late.is_old(capture.stamp_s, capture.came_s) and waited_s < LATE_S:
                    self._came(capture)
                    return frame_of(picture, buffer, self.name, self._index - 1, time.time())
                self.state.stale += 1
                self._index += 1
            elif capture is not None and capture.ended:
                self.close()
            else:
                self._connect_again()
        return None

    def close(self) -> None:
        """See `Source.close`. Ends every wait at once."""
        self._closing.set()
        self._apart.close()

    @property
    def _quiet_s(self) -> float:
        asked_s = QUIET_PART * (self._options.patience_s or 0.0)
        return max(QUIET_S, asked_s, PERIODS / self.fps if self.fps else 0.0)

    def _begin(self) -> None:
        if self._options.wait:
            self._apart.begin()
            return
        self._apart.connect()
        capture = self._apart.capture
        if capture is None or not capture.opened:
            raise self._failure(capture.error if capture else "")

    def _quiet(self) -> None:
        if self.state.name == LIVE:
            self.state.become(STALLED, f"no frame for {self._quiet_s:g} s")

    def _pass_over(self, capture: Capture) -> None:
        late = getattr(capture, "late", 0)
        self.state.broken += capture.lost
        self.state.stale += late
        self._index += capture.lost + late

    def _came(self, capture: Capture) -> None:
        self.restarts += self._tries > 0 and self.state.frames > 0
        self._tries = self._refusals = 0
        self._index += 1
        self.state.frames += 1
        self.state.age_s = getattr(capture, "age_s", None)
        if self.state.name != LIVE:
            self.state.become(LIVE)

    def _connect_again(self) -> None:
        """Makes one try after a pause. A frame, not just a connection, resets the count."""
        if self._closing.is_set():
            return
        capture = self._apart.capture
        if capture is not None:
            self._pass_over(capture)
        reason, refused = (capture.error, capture.refused) if capture else ("", False)
        away = CONNECTING if self.state.name == CONNECTING else LOST
        self.state.become(REFUSED if refused else away, reason or "no frame came in time")
        if self._tries == self._options.max_tries:
            self.close()
            raise SourceError(f"{self.name} did not come back in {self._tries} tries", hint="is the camera on?")
        slow = capture is not None and capture.slow
        pauses, number = (LONG_PAUSES_S, self._refusals) if slow else (PAUSES_S, self._tries)
        self._tries, self._refusals = self._tries + 1, self._refusals + slow
        if not self._closing.wait(pauses[min(number, len(pauses) - 1)]):
            self._apart.connect()
            self._late.restart()
