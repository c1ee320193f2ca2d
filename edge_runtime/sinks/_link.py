"""A connection to a broker, by paho: a thread that sends what waits, and connects again for ever."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import selectors
import threading
from collections import deque
from time import monotonic
from typing import Any, Callable, Deque, Dict, List, Optional

from edge_runtime.sinks import _paho
from edge_runtime.sinks._address import Address
from edge_runtime.sinks._paho import CONNECT_S, KEEPALIVE_S, new_client
from edge_runtime.sinks._spool import Spool
from edge_runtime.sinks._states import States
from edge_runtime.sinks._suspect import CUT_S, TIMES, Suspect, What
from edge_runtime.sinks._topics import BIRTH, DEATH, Message
from edge_runtime.text.escape import printable
from edge_runtime.text.secrets import redact

WINDOW = 20  # messages on the way; more of them would come twice after an outage
FIRST_S, LONGEST_S = 0.5, 15.0  # pauses between attempts
CLOSE_S = 3.0  # less than a run waits for its outputs, also if the broker takes a second for our last word
SYNC_S = 1.0

log = logging.getLogger("edge_runtime")


class Lost(Exception):
    """The connection ended. The message says why."""


class Link:
    """Sends states and the records of a spool, in order, each until the broker has acknowledged it.

    Each connection has a client of its own: what an earlier one had not acknowledged comes from the spool again.

    Args:
        address: the broker.
        spool: it is closed at the end.
        client_id: the same at every start, so that the broker drops an old connection that it still believes in. Its
            last will would else come later, and say that we are away.
        availability: the topic of birth and death.
        again: a topic; if it says `online`, all states are sent again. "" for none.
        retained: a topic; what the broker has there at each connection is given to `told`. "" for none.
        told: called in the thread of the link.

    Attributes:
        states: what is sent again at each connection. Call `wake` when there are new ones.
        state: "connecting", "connected", "lost" or "closed".
        trouble: why it is not connected; "" if it is.
        sent: records that the broker has.
        refused: records that were set aside, because the broker ended the connection at each of them.
    """

    def __init__(
        self, address: Address, spool: Spool, client_id: str, availability: str, again: str = "",
        retained: str = "", told: Callable[[bytes], Any] = bytes,
    ) -> None:  # fmt: skip
        self.address, self.client_id, self.availability = address, client_id, availability
        self._spool, self._again, self._retained, self._told = spool, again, retained, told
        self.state, self.trouble, self.sent, self.refused = "connecting", "", 0, 0
        self.states, self._suspect = States(), Suspect()
        self._lock = threading.Lock()
        self._deadline_s = float("inf")
        self._ears, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mqtt", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        with self._lock, contextlib.suppress(OSError):  # full: it wakes anyhow
            if self._bell >= 0:
                os.write(self._bell, b"1")

    def close(self) -> None:
        """Sends what it can in `CLOSE_S`. The rest stays in the spool."""
        if not self._closing.is_set():
            self._deadline_s = monotonic() + CLOSE_S
            self._closing.set()
            self.wake()
        self._thread.join(CLOSE_S + CONNECT_S)

    def _work(self) -> None:
        pause_s = FIRST_S
        try:
            while True:
                session = _Session(self)
                try:
                    session.serve()
                    break
                except Exception as error:  # whatever a broker does, or a certificate that is being replaced
                    self.state, self.trouble = "lost", printable(redact(_said(error)))
                finally:
                    session.drop()
                self._suspect.ended(session.ready, session.on_way.values(), session.alone)
                pause_s = FIRST_S if session.ready else min(LONGEST_S, pause_s * 2)
                if self._closing.wait(pause_s * random.uniform(0.5, 1)):
                    break
        finally:
            self.state = "closed"
            self._close_bell()
            self._spool.close()

    def _set_aside(self, what: What) -> None:
        """Sends a message no more: the broker ends the connection at it. The others go on."""
        message = self.states.set_aside(what) if isinstance(what, str) else self._without_record(what)
        if message is not None:
            log.warning(
                "output %s: the broker ended the connection %d times at a message of %d bytes to %s; it is set aside",
                self.address.public, TIMES, len(message.payload), printable(message.topic),
            )  # fmt: skip

    def _without_record(self, number: int) -> Optional[Message]:
        found = self._spool.read()
        mine = found is not None and found[0] == number
        if mine:
            self._spool.acknowledge(number)
            self.refused += 1
        self._spool.rewind()
        return Message.unpack(found[1]) if found and mine else None

    def _close_bell(self) -> None:
        with self._lock:
            for end in (self._ears, self._bell):
                os.close(end)
            self._ears = self._bell = -1

    def _ended(self, session: _Session) -> bool:
        if not self._closing.is_set():
            return False
        waits = session.on_way or self.states.due or self._spool.waiting
        return monotonic() > self._deadline_s or (session.ready and not waits)


class _Session:
    """One connection.

    Attributes:
        ready: the broker has accepted it.
        on_way: what is not acknowledged, by packet.
    """

    def __init__(self, link: Link) -> None:
        self._link, self._refused, self.ready, self._told = link, "", False, False
        self.on_way: Dict[int, What] = {}
        self._sent_s = 0.0
        self._order: Deque[List[int]] = deque()  # [number, 1 if acknowledged], as sent
        self._selector = selectors.DefaultSelector()
        self._client: Any = None
        self._synced_s = monotonic()

    @property
    def alone(self) -> Optional[What]:
        """The only message on the way, if it was sent just now."""
        only = next(iter(self.on_way.values()), None) if len(self.on_way) == 1 else None
        return only if monotonic() - self._sent_s < CUT_S and only != self._link.availability else None

    def serve(self) -> None:
        """Returns when the link is closing and everything is sent. Raises `Lost`, and whatever paho raises."""
        link = self._link
        client = self._client = new_client(link.address, link.client_id, link.availability)
        client.on_connect, client.on_message = self._connected, self._heard
        client.on_publish = client.on_subscribe = self._acknowledged
        link._spool.rewind()
        client.connect(link.address.host, link.address.port, KEEPALIVE_S)
        self._selector.register(client.socket(), selectors.EVENT_READ)
        self._selector.register(link._ears, selectors.EVENT_READ)
        limit_s = monotonic() + CONNECT_S
        while not link._ended(self):
            self._turn()
            if not self.ready and monotonic() > limit_s:
                raise Lost("the broker does not answer")
        if self.ready:
            self._leave()

    def _turn(self, sending: bool = True) -> None:
        client, sock = self._client, self._client.socket()
        if sock is None:
            raise Lost(self._refused or "the broker closed the connection")
        if sending and self.ready:
            self._fill()
        unsent = client.want_write()
        self._selector.modify(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0))
        pending = hasattr(sock, "pending") and sock.pending()
        found = self._selector.select(0 if pending else 0.5)
        if unsent:
            self._sent_s = monotonic()
        for key, mask in found:
            if key.fd == self._link._ears:
                os.read(self._link._ears, 4096)
            elif mask & selectors.EVENT_WRITE:
                self._check(client.loop_write())
        self._check(client.loop_read())
        if client.loop_misc() or client.socket() is None:
            self._sent_s = -float("inf")  # we ended it, as in an outage
            raise Lost(self._refused or "the broker does not answer")
        if monotonic() - self._synced_s > SYNC_S:
            self._synced_s = monotonic()
            self._link._spool.sync()

    def _check(self, code: int) -> None:
        if code:
            raise Lost(self._refused or f"the connection ended: {_paho.load_paho().error_string(code)}")

    def _fill(self) -> None:
        """Sends as much as may be on the way: states first, then records in order."""
        link = self._link
        most = 1 if link._suspect.careful else WINDOW
        while len(self.on_way) < most:
            state = link.states.next(link._suspect.what)
            found = None if state else link._spool.read()
            if state is not None:
                self._publish(state, state.topic)
            elif found is not None:
                self._order.append([found[0], 0])
                self._publish(Message.unpack(found[1]), found[0])
            else:
                return

    def _publish(self, message: Message, what: What) -> None:
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        self.on_way[info.mid], self._sent_s = what, monotonic()
        self._check(info.rc)

    def _connected(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker refuses: {reason}"
            return
        link = self._link
        unwanted = link._suspect.found()
        if unwanted is not None:
            link._set_aside(unwanted)
        self.on_way[client.publish(link.availability, BIRTH, qos=1, retain=True).mid] = link.availability
        for topic in filter(None, (link._again, link._retained)):
            # Before we send: what is retained there is not ours of now. Some brokers end the connection at it.
            self.on_way[client.subscribe(topic, qos=1)[1]] = link.availability
        link.states.all_again()
        self.ready, link.state, link.trouble = True, "connected", ""

    def _heard(self, _client: Any, _data: Any, message: Any) -> None:
        if message.topic == self._link._again and message.payload == BIRTH:
            self._link.states.all_again()
        elif message.topic == self._link._retained and message.retain and not self._told:
            self._told = True  # what we send there comes back
            self._link._told(message.payload)

    def _acknowledged(self, _client: Any, _data: Any, packet: int, _reason: Any, _properties: Any) -> None:
        what = self.on_way.pop(packet, None)
        self._link._suspect.acknowledged(what)
        if isinstance(what, str) and what not in self.on_way.values():
            self._link.states.acknowledged(what)
        for entry in self._order:
            if entry[0] == what:
                entry[1] = 1
                break
        while self._order and self._order[0][1]:
            self._link._spool.acknowledge(self._order.popleft()[0])
            self._link.sent += 1

    def _leave(self) -> None:
        """Says that we are away: a connection that ends in order has no last will."""
        info, limit_s = self._client.publish(self._link.availability, DEATH, qos=1, retain=True), monotonic() + 1
        while not info.is_published() and monotonic() < limit_s:
            self._turn(sending=False)
        self._client.disconnect()

    def drop(self) -> None:
        """Ends the connection, if there is one."""
        self._selector.close()
        with contextlib.suppress(OSError, ValueError):
            sock = self._client and self._client.socket()
            if sock is not None:
                sock.close()


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
