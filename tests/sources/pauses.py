"""The pauses between attempts, without waiting for them."""

from __future__ import annotations

import threading
from typing import List, Optional, Sequence

import pytest


def recorded(monkeypatch: pytest.MonkeyPatch, pauses: Sequence[float]) -> List[float]:
    """Those of these pauses, in seconds, that are asked for from here on. None is made."""
    asked: List[float] = []
    original = threading.Event.wait

    def wait(self: threading.Event, timeout: Optional[float] = None) -> bool:
        if timeout not in pauses:
            return original(self, timeout)
        asked.append(timeout)
        return self.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    return asked
