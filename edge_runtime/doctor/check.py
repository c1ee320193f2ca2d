"""A line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        ok: it is here and works.
        detail: version and details, or the reason why it does not work.
        fix: what to do about it; None if nothing is to be done.
        absent: it is not here, and nothing on this machine needs it.
    """

    name: str
    ok: bool
    detail: str
    fix: Optional[str] = None
    absent: bool = False
