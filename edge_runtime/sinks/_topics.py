"""The topics of a run at a broker, and its payloads. docs/outputs.md lists them for users."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Pattern

from edge_runtime.errors import UsageError
from edge_runtime.types.events import Event

LONGEST_LEVEL = 60  # characters of a name in a topic
LONGEST_PREFIX = 200
STATES = ("counts", "status")  # only the newest is sent, also after an outage
BIRTH, DEATH = b"online", b"offline"
_ALONE = re.compile("[\ud800-\udfff]")
_UNSAFE = re.compile(r"[^\w.-]+")  # + # / and NUL mean something in a topic; some brokers refuse what is not printed


class Message(NamedTuple):
    """What a broker gets."""

    topic: str
    payload: bytes
    retain: bool = False

    def pack(self) -> bytes:
        """For a spool."""
        return b"%d%s\0%s" % (self.retain, self.topic.encode(), self.payload)

    @classmethod
    def unpack(cls, record: bytes) -> Message:
        """The message of a spool."""
        topic, _, payload = record[1:].partition(b"\0")
        return cls(topic.decode(), payload, record[:1] == b"1")


class Topics:
    """The topics below a prefix. Args: prefix: `site/hall`.

    Raises:
        UsageError: no such topics can be.
    """

    def __init__(self, prefix: str) -> None:
        if re.search(r"[+#\x00-\x1f\x7f\ud800-\udfff]|^\$|^/|//|/$", prefix) or not 0 < len(prefix) <= LONGEST_PREFIX:
            hint = f"up to {LONGEST_PREFIX} characters without + and #, such as mqtt://broker/site/hall"
            raise UsageError(f"{prefix[:LONGEST_PREFIX]!r} cannot begin a topic", hint=hint)
        self.prefix = prefix
        self.availability, self.status = f"{prefix}/availability", f"{prefix}/status"

    def of_source(self, source: str, what: str) -> str:
        """The topic of a source: "state", "counts" or "picture"."""
        return f"{self.prefix}/sources/{level(source)}/{what}"

    def state(self, event: Event) -> Optional[Message]:
        """The retained message that an event makes out of date; None if there is none."""
        what = {"counts": "counts", "source": "state"}.get(event.kind)
        if what is None and event.kind != "status":
            return None
        topic = self.of_source(event.source, what) if what else self.status
        return Message(topic, payload(event.record()), True)

    def lasting(self, event: Event, first: int) -> Iterator[Message]:
        """The messages that must not be lost. Args: first: their sequence number in the spool."""
        if event.kind in STATES:
            return
        about: Dict[str, Any] = {"sequence": first}
        if event.picture is not None:
            about["picture_topic"] = self.of_source(event.source, "picture")
            about["picture_sha256"] = hashlib.sha256(event.picture).hexdigest()
        topic = f"{self.prefix}/events/{level(event.source)}/{level(event.kind)}"
        yield Message(topic, payload({**event.record(), **about}))
        if event.picture is not None:
            yield Message(about["picture_topic"], event.picture, True)


def payload(data: Mapping[str, Any]) -> bytes:
    """JSON in ASCII on one line, which strict readers take: see `paired`."""
    text = json.dumps(data, separators=(",", ":"))
    return json.dumps(_paired_in(data), separators=(",", ":")).encode() if r"\ud" in text else text.encode()


def paired(text: str) -> str:
    r"""The text without surrogates that stand alone: a byte of a file name that is not UTF-8 is written as `\udce9`.

    Strict readers of JSON, such as Home Assistant's, refuse a whole message for one of them.
    """
    return _ALONE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _paired_in(value: Any) -> Any:
    if isinstance(value, str):
        return paired(value)
    if isinstance(value, Mapping):
        return {_paired_in(name): _paired_in(item) for name, item in value.items()}
    return [_paired_in(item) for item in value] if isinstance(value, (list, tuple)) else value


def level(name: str, unsafe: Pattern[str] = _UNSAFE) -> str:
    """One level of a topic: the name if a broker takes it; else a safe one with a checksum, the same at every start."""
    safe = unsafe.sub("_", name).strip("_")[:LONGEST_LEVEL]
    if safe == name and safe:
        return safe
    return f"{safe or 'source'}-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"
