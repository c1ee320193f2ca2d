"""Finds the message at which a broker ends the connection, again and again: it would keep all others waiting."""

from __future__ import annotations

from typing import Generic, Optional, TypeVar

What = TypeVar("What")
TIMES = 5  # in a row, after which a message is set aside
CUT_S = 1.0  # the end that comes later has another cause
TRUSTED = 20  # messages that are acknowledged one by one, before several may be on the way again


class Suspect(Generic[What]):
    """Counts against a message only what no outage looks like.

    After a connection ended with messages on the way, they are sent one at a time. A message is the cause if the broker
    accepted the connection and acknowledged all that came before, and ended the connection within `CUT_S` after this
    message, without an acknowledgement, `TIMES` times in a row, and if it then accepts the next connection. A broker
    that is killed or restarted does not accept one in between, or acknowledges the message: both begin the count anew.

    Attributes:
        careful: whether one message at a time may be on the way.
    """

    def __init__(self) -> None:
        self.careful = False
        self._what: Optional[What] = None
        self._times = self._good = 0

    def acknowledged(self, what: Optional[What]) -> None:
        """The broker has taken a message."""
        self._good += 1
        if what == self._what:
            self._clear()
        if self._good >= TRUSTED:
            self.careful = False

    def ended(self, accepted: bool, on_way: int, what: Optional[What]) -> None:
        """A connection has ended, or there was none.

        Args:
            accepted: whether the broker had accepted it.
            on_way: number of messages that were not acknowledged.
            what: the only one of them, if it was sent just before; else None.
        """
        self._good, self.careful = 0, self.careful or on_way > 0
        if not accepted or what is None:
            self._clear()
        elif what == self._what:
            self._times += 1
        else:
            self._what, self._times = what, 1

    def found(self) -> Optional[What]:
        """The message that is the cause; None if there is none. Call it when the broker has accepted a connection."""
        what = self._what if self._times >= TIMES else None
        if what is not None:
            self._clear()
        return what

    def _clear(self) -> None:
        self._what, self._times = None, 0
