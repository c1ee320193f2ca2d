"""Posts events to a server: `webhook+https://host/path?query`, or `webhook+http://…` without TLS. docs/outputs.md."""

from __future__ import annotations

import base64
from typing import Any, Dict

from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._hook import SCHEMES, Hook, parse
from edge_runtime.sinks._poster import Poster
from edge_runtime.sinks._topics import payload
from edge_runtime.types.events import Event

HANDLES = tuple(f"{scheme}://" for scheme in SCHEMES)


def open_events(target: str, options: SinkOptions = SinkOptions()) -> WebhookSink:
    """Opens a server. It need not be there yet.

    Raises:
        SinkError: the spool cannot be made.
        UsageError: the address makes no sense, or another run uses its spool.
    """
    return WebhookSink(_parsed(target))


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`."""
    _parsed(target)
    return ""


def _parsed(target: str) -> Hook:
    hook = parse(target)
    if hook.tls:
        hook.address.tls()  # said now, not in a thread
    hook.address.read_spool_mb()
    return hook


class WebhookSink:
    """Posts what happened in order and at least once.

    Attributes:
        target: without path and query, which are secrets of the receiver.
        note: what people should know.
    """

    def __init__(self, hook: Hook) -> None:
        self.target, self.note = hook.public, hook.note
        self._kinds, self._pictures = hook.kinds, hook.pictures
        self._spool = hook.address.spool("webhook", hook.requested)
        self._poster = Poster(hook, self._spool)

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        if event.kind not in self._kinds:
            return
        about: Dict[str, Any] = {"sequence": self._spool.next}
        if self._pictures and event.picture is not None:
            about["picture_jpeg"] = base64.b64encode(event.picture).decode()
        self._spool.append(payload({**event.record(), **about}))
        self._poster.wake()

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`. "lost" has those that the server refused, which are also "refused"."""
        spool, poster = self._spool, self._poster
        counts = {"sent": poster.sent, "waiting": spool.waiting, "lost": spool.lost + poster.refused}
        trouble = "; ".join(filter(None, (poster.trouble, spool.trouble)))
        about = {"state": poster.state, **counts, "refused": poster.refused, "torn": spool.torn}
        return {**about, **({"trouble": trouble} if trouble else {})}

    def close(self) -> None:
        """See `EventSink.close`."""
        self._poster.close()
