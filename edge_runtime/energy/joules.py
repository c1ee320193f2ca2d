"""Joules from watts: the trapezoid rule over monotonic time, and how much of that time was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

LONGEST_S = 1.0  # longest time between two samples; a longer pause is a gap


@dataclass
class Energy:
    """An integral that grows sample by sample, in constant memory.

    The joules of a gap are not guessed. Its time counts as not covered.

    Attributes:
        joules: energy of the time that was covered.
        covered_s: seconds between samples that are close enough.
        elapsed_s: seconds from the first sample to the last.
        gaps: number of pauses that were too long and readings that failed.
        samples: number of readings that did not fail.
    """

    longest_s: float = LONGEST_S
    joules: float = 0.0
    covered_s: float = 0.0
    elapsed_s: float = 0.0
    gaps: int = 0
    samples: int = 0
    _then_s: Optional[float] = None
    _watts: Optional[float] = None
    _first_s: Optional[float] = None

    def add(self, time_s: float, watts: Optional[float]) -> None:
        """Adds a reading.

        Args:
            time_s: monotonic, later than that of the reading before.
            watts: None if the reading failed. The time between the readings around it is then a gap.
        """
        self._first_s = time_s if self._first_s is None else self._first_s
        self.elapsed_s = time_s - self._first_s
        if watts is None:
            self.gaps += 1
        else:
            self.samples += 1
            if self._watts is not None and self._then_s is not None:
                self._span(time_s - self._then_s, self._watts, watts)
        self._then_s, self._watts = time_s, watts

    @property
    def coverage(self) -> float:
        """Part of the time that was measured, 0 to 1."""
        return self.covered_s / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def mean_w(self) -> Optional[float]:
        """Mean watts of the time that was measured; None if nothing was measured."""
        return self.joules / self.covered_s if self.covered_s else None

    def _span(self, seconds: float, before: float, after: float) -> None:
        if seconds > self.longest_s:
            self.gaps += 1
        else:
            self.joules += 0.5 * (before + after) * seconds
            self.covered_s += seconds
