"""Finds a decoder that is slower than its camera: what it gives would become older and older."""

from __future__ import annotations

from time import monotonic

WAIT_S = 0.002  # who waited so long for a packet has taken all that had come
BEHIND_S, BUSY = 2.0, 0.5  # without a wait for so long, and so large a part of it in the decoder


class Pace:
    """What the time since the last wait for the camera was spent on."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Nothing is known."""
        self._since_s, self._busy_s = monotonic(), 0.0

    def waited(self, seconds: float) -> None:
        """A packet was asked for, and came after so long."""
        if seconds > WAIT_S:
            self.restart()

    def decoded(self, seconds: float) -> None:
        """The decoder worked for so long."""
        self._busy_s += seconds

    def is_behind(self) -> bool:
        """Whether pictures must be left out. A slow reader of the pictures is no reason: it gets newer ones soon."""
        passed_s = monotonic() - self._since_s
        return passed_s > BEHIND_S and self._busy_s > BUSY * passed_s
