"""What happened, for those who do not want every frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional

KINDS = ("new", "update", "end", "crossing", "counts", "source", "status")
REMOVED = "removed"  # "state" of the last "source" event of a source that the run does not read any more


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: "new", "update" and "end" of an object; "crossing" of a line; "counts" of one source, once a second;
            "source", when the state of a source changes; "status" of the whole run, once a second.
        source: name of the source, without a password; "" for the whole run.
        time_s: Unix time, seconds.
        number: counts the events of one run from 1 on, so that a reader sees a loss and a repetition.
        run: differs from run to run; `run` and `number` together name an event.
        key: the same for all events of one object, and for no other object, also after a restart; "" without an object.
        data: plain data for JSON.
        picture: the object at its best so far, as a JPEG file; None if there is none.
    """

    kind: str
    source: str
    time_s: float
    number: int
    run: str
    key: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    picture: Optional[bytes] = None

    def record(self) -> Dict[str, Any]:
        """Plain data for JSON, without the picture."""
        said: Dict[str, Any] = {"event": self.kind, "time": self.time_s, "run": self.run, "number": self.number}
        return {**said, "source": self.source, **({"key": self.key} if self.key else {}), **self.data}
