"""Posts the records of a spool, one after the other: a thread that tries again for ever."""

from __future__ import annotations

import json
import logging
import random
import threading
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR, socket
from time import monotonic, time
from typing import Iterator, List, Optional, Set

from edge_runtime import __version__
from edge_runtime.sinks._hook import Hook
from edge_runtime.sinks._spool import Spool
from edge_runtime.text.escape import printable
from edge_runtime.text.secrets import redact

FIRST_S, LONGEST_S = 0.5, 60.0  # pauses between attempts
LONGEST_WISH_S = 3600.0  # of a server's Retry-After
ANSWER_S = 10.0  # for a whole exchange, however slowly it goes on
CLOSE_S, CUT_S = 3.0, 1.0  # together less than a run waits for its outputs
SYNC_S = 1.0
MOST = 1 << 16  # bytes of an answer that are read, so that the connection can be used again
LATER = (408, 425, 429)
log = logging.getLogger("edge_runtime")


class Unanswered(Exception):
    """It must be posted again. Args: wish_s: not before so many seconds."""

    def __init__(self, why: str, wish_s: float = 0.0) -> None:
        super().__init__(why)
        self.wish_s = wish_s


class Poster:
    """Posts in order, each until the server has accepted or refused it.

    Args:
        hook: the server.
        spool: it is closed at the end.

    Attributes:
        state: "connecting", "connected", "lost" or "closed".
        trouble: why the last attempt failed; "" if it did not.
        sent: events that the server has.
        refused: events that it does not want. They are not posted again.
    """

    def __init__(self, hook: Hook, spool: Spool) -> None:
        self._hook, self._spool = hook, spool
        self.state, self.trouble, self.sent, self.refused = "connecting", "", 0, 0
        self._told: Set[int] = set()
        self._connection: Optional[HTTPConnection] = None
        self._deadline_s, self._pause_s, self._synced_s = float("inf"), FIRST_S, 0.0
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="webhook", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to post."""
        self._news.set()

    def close(self) -> None:
        """Posts what it can in `CLOSE_S`. Then the connection is cut, and the rest stays in the spool."""
        if not self._closing.is_set():
            self._deadline_s = monotonic() + CLOSE_S
            self._closing.set()
            self.wake()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            _cut(self._connection)
            self._thread.join(CUT_S)

    def _work(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self.state = "closed"
            self._drop()
            self._spool.close()

    def _turn(self) -> bool:
        """Posts the next record, if there is one. Returns whether more may come."""
        self._news.clear()
        found = self._spool.read()
        if found is None:
            if self._closing.is_set():
                return False
            self._news.wait(SYNC_S)
            self._sync()
            return True
        try:
            self._judge(self._post(found[1]))
        except Exception as error:  # whatever a server does, the thread goes on
            return self._again(error)
        self._spool.acknowledge(found[0])
        self._pause_s = FIRST_S
        return monotonic() < self._deadline_s

    def _again(self, error: Exception) -> bool:
        self._drop()
        self._spool.rewind()
        self.state, self.trouble = "lost", printable(redact(_said(error)))
        wait_s = max(self._pause_s * random.uniform(0.5, 1), getattr(error, "wish_s", 0.0))
        self._pause_s = min(LONGEST_S, self._pause_s * 2)
        until_s = monotonic() + wait_s
        while monotonic() < until_s:
            if self._closing.wait(min(SYNC_S, max(0.0, until_s - monotonic()))):
                return False
            self._sync()
        return True

    def _post(self, body: bytes) -> int:
        """Posts a record. Returns the status of an answer after which it is not posted again."""
        if self._connection is not None:
            try:
                return self._exchange(self._connection, body)
            except ConnectionError:  # the server may have ended a connection that nobody used
                self._drop()
        self._connection = self._new_connection()
        return self._exchange(self._connection, body)

    def _new_connection(self) -> HTTPConnection:
        address = self._hook.address
        if self._hook.tls:
            return HTTPSConnection(address.host, address.port, timeout=ANSWER_S, context=address.tls())
        return HTTPConnection(address.host, address.port, timeout=ANSWER_S)

    def _exchange(self, connection: HTTPConnection, body: bytes) -> int:
        with self._limited(connection):
            answer = self._answered(connection, body)
            self._read(answer)
        if 300 <= answer.status < 400:
            raise Unanswered(f"the server answers {answer.status}, and a webhook goes to no other address")
        if answer.status in LATER or answer.status >= 500 or answer.status < 200:
            raise Unanswered(f"the server answers {answer.status}", _wish_s(answer.getheader("Retry-After", "")))
        return answer.status

    def _answered(self, connection: HTTPConnection, body: bytes) -> HTTPResponse:
        headers = self._hook.headers(body, _id(body), int(time()))
        agent = {"User-Agent": f"edge-runtime/{__version__}"}
        try:
            connection.request("POST", self._hook.requested, body, {**headers, **agent})
        except ConnectionError:  # a server may refuse what is too large before it has read it, and go
            answer = connection.getresponse()
            if answer.status < 400:
                raise
            return answer
        return connection.getresponse()

    @contextmanager
    def _limited(self, connection: HTTPConnection) -> Iterator[None]:
        """Ends what happens in it after `ANSWER_S`, because a timeout is only for each piece of an answer."""
        late: List[bool] = []

        def cut() -> None:
            late.append(True)
            _cut(connection)

        timer = threading.Timer(ANSWER_S, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, HTTPException) as error:
            if late:
                raise Unanswered(f"the server did not answer within {ANSWER_S:g} s") from error
            raise
        finally:
            timer.cancel()

    def _read(self, answer: HTTPResponse) -> None:
        """Reads a short answer to its end if another may follow. Else the connection ends: the status is known."""
        try:
            if not answer.will_close and answer.length is not None and answer.length <= MOST:
                answer.read()
                return
        except (OSError, HTTPException):
            pass
        self._drop()

    def _judge(self, status: int) -> None:
        self.state, self.trouble = "connected", ""
        if status < 400:
            self.sent += 1
            return
        self.refused, self.trouble = self.refused + 1, f"the server refuses events: {status}"
        if status not in self._told:
            self._told.add(status)
            log.warning(
                "output %s: the server refuses an event with %d; it is not posted again", self._hook.public, status
            )

    def _sync(self) -> None:
        if monotonic() - self._synced_s > SYNC_S:
            self._synced_s = monotonic()
            self._spool.sync()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _cut(connection: Optional[HTTPConnection]) -> None:
    """Ends a connection that another thread uses."""
    sock = connection and connection.sock
    if sock:
        with suppress(OSError):  # not SSLSocket.shutdown: what is sent after it would be plain text
            socket.shutdown(sock, SHUT_RDWR)


def _id(body: bytes) -> str:
    """The same for an event and its repetitions, and for no other event."""
    event = json.loads(body)
    return f"{event['run']}-{event['number']}"


def _wish_s(text: str) -> float:
    """What Retry-After asks for, in seconds or as a date; 0 if it makes no sense."""
    try:
        seconds = float(text) if text.strip().isdecimal() else parsedate_to_datetime(text).timestamp() - time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(LONGEST_WISH_S, max(0.0, seconds))


def _said(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"the server's answer is no HTTP: {text}" if isinstance(error, HTTPException) else text
