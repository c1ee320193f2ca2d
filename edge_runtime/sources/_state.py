"""How a live source is doing, and what it has counted."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Any, Dict, Optional

CONNECTING = "connecting"  # no frame has ever come
LIVE = "live"
STALLED = "stalled"  # it is connected, but no frame comes
LOST = "lost"  # it is tried again
REFUSED = "refused"  # the camera wants another user or password; it is tried again after minutes
STATES = (CONNECTING, LIVE, STALLED, LOST, REFUSED)

log = logging.getLogger("edge_runtime")


class SourceState:
    """The state of one live source. The thread that reads the source changes it, and any thread may look at it.

    Args:
        source: its name, for the log.

    Attributes:
        name: one of STATES.
        reason: why it is not live; "" if that is unknown.
        frames: frames that were given.
        reconnects: how often it came back after it was lost.
        stalls: how often no frame came for a while.
        broken: pictures that could not be decoded, or only in part. They are left out.
        stale: frames that came so late that they showed the past. They are left out.
        age_s: how old the last frame was when it came, by the camera's clock (RTCP); None if the camera does not say.
    """

    def __init__(self, source: str) -> None:
        self.source, self.name, self.reason = source, CONNECTING, ""
        self.frames = self.reconnects = self.stalls = self.broken = self.stale = 0
        self.age_s: Optional[float] = None
        self._since_s = monotonic()
        self._told = (CONNECTING, False)

    def become(self, name: str, reason: str = "") -> None:
        """Notes a state. A change is logged once: "source rtsp://camera/live is lost: connection refused"."""
        first_frame = self.name == CONNECTING and name == LIVE and not self.reason
        if name != self.name:
            self._since_s = monotonic()
            self.stalls += name == STALLED
            self.reconnects += name == LIVE and self.name in (LOST, REFUSED)
        self.name, self.reason = name, reason
        now = name, name == LIVE or bool(reason)
        if now != self._told and not first_frame:
            log.warning("source %s is %s%s", self.source, name, f": {reason}" if reason else "")
        self._told = now

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON; `since_s` is how long it has been in this state, in seconds."""
        counts = {key: getattr(self, key) for key in ("frames", "reconnects", "stalls", "broken", "stale")}
        since_s = round(monotonic() - self._since_s, 1)
        age_s = None if self.age_s is None else round(self.age_s, 3)
        now = {"source": self.source, "state": self.name, "since_s": since_s, "reason": self.reason}
        return {**now, **counts, "age_s": age_s}
