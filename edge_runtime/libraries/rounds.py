"""What is done again and again: one round that fails does not end it."""

from __future__ import annotations

import logging
from typing import Any, Callable

log = logging.getLogger("edge_runtime")


class Rounds:
    """Calls a function. If that fails, it is said once, and the next call tries again.

    Args:
        what: it does, for people: "measuring".
        action: the function. What it returns is not used.
    """

    def __init__(self, what: str, action: Callable[..., object]) -> None:
        self._what, self._action = what, action
        self._told = False

    def __call__(self, *arguments: Any) -> bool:
        """One round. Returns whether it went well."""
        try:
            self._action(*arguments)
        except Exception as error:
            level, self._told = logging.DEBUG if self._told else logging.WARNING, True
            log.log(level, "%s failed, and is tried again: %s: %s", self._what, type(error).__name__, error)
            return False
        return True
