"""Finds the message at which a broker ends the connection, again and again: it would keep all others waiting."""

from __future__ import annotations

from typing import Collection, Optional, Set, Union

What = Union[int, str]  # the number of a record, or the topic of a state
TIMES = 5  # in a row, after which a message is set aside
CUT_S = 1.0  # the end that comes later has another cause


class Suspect:
    """Counts against a message only what no outage looks like.

    After a connection ended with messages on the way, one at a time is sent until each of them is acknowledged or set
    aside. A message is the cause if the broker accepted the connection and acknowledged all that came before, and ended
    the connection within `CUT_S` after this message, without an acknowledgement, `TIMES` times in a row, and if it then
    accepts the next connection. A broker that is killed or restarted does not accept one in between, or acknowledges
    the message: both begin the count anew.

    Attributes:
        what: the message at which the last connection ended; None if there was no such end.
    """

    def __init__(self) -> None:
        self.what: Optional[What] = None
        self._times = 0
        self._open: Set[What] = set()

    @property
    def careful(self) -> bool:
        """Whether one message at a time may be on the way."""
        return bool(self._open)

    def acknowledged(self, what: Optional[What]) -> None:
        """The broker has taken a message."""
        if what == self.what:
            self._clear()
        self._open = {one for one in self._open if one != what and not _before(one, what)}

    def ended(self, accepted: bool, on_way: Collection[What], what: Optional[What]) -> None:
        """A connection has ended, or there was none.

        Args:
            accepted: whether the broker had accepted it.
            on_way: the messages that were not acknowledged.
            what: the only one of them, if it was sent just before; else None.
        """
        self._open.update(on_way)
        if not accepted or what is None:
            self._clear()
        elif what == self.what:
            self._times += 1
        else:
            self.what, self._times = what, 1

    def found(self) -> Optional[What]:
        """The message that is the cause; None if there is none. Call it when the broker has accepted a connection."""
        what = self.what if self._times >= TIMES else None
        if what is not None:
            self._open.discard(what)
            self._clear()
        return what

    def _clear(self) -> None:
        self.what, self._times = None, 0


def _before(one: What, other: Optional[What]) -> bool:
    """Whether it is a record before another one: if it was dropped meanwhile, it is never acknowledged."""
    return isinstance(one, int) and isinstance(other, int) and one < other
