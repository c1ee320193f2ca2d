"""The camera's own clock, from the reports that it sends beside its video (RTCP, RFC 3550)."""

from __future__ import annotations

from typing import Optional, Tuple

SENDER_REPORT = 200
SINCE_1900_S = 2_208_988_800  # from the beginning of NTP's time to that of Unix
FRACTION, WRAP = 1 << 32, 1 << 32


class Clock:
    """When a picture was taken, by the camera's clock.

    Args:
        rate: ticks in a second of the times of pictures.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: Optional[Tuple[float, int]] = None  # a time of day, and the same in ticks

    def take(self, packet: bytes) -> None:
        """Takes a packet of reports."""
        if len(packet) < 20 or packet[1] != SENDER_REPORT:
            return
        seconds, fraction, ticks = (int.from_bytes(packet[at : at + 4], "big") for at in (8, 12, 16))
        self._last = (seconds - SINCE_1900_S + fraction / FRACTION, ticks) if seconds else None

    def age_s(self, ticks: int, now_s: float) -> Optional[float]:
        """How old a picture is, in seconds; None before the first report.

        It is true if the camera's clock is that of this machine, as by NTP.

        Args:
            ticks: its time in the stream.
            now_s: `time.time()`.
        """
        if self._last is None:
            return None
        reported_s, at = self._last
        later = (ticks - at + WRAP // 2) % WRAP - WRAP // 2
        return now_s - (reported_s + later / self._rate)
