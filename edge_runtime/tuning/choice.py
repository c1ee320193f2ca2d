"""What a trial found: the arrangement that was chosen, and the figures of all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Tuple

from edge_runtime.backends import FIELDS as OPTIONS
from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.tuning.arrangements import LATENCY, THROUGHPUT, Arrangement

MOST = 64  # arrangements of a trial
BUSY = 0.3  # cores of other programs that are worth a word


@dataclass(frozen=True)
class Measured:
    """One arrangement and its speed: images per second, or 1 / seconds of one image."""

    arrangement: Arrangement
    speed: float


@dataclass(frozen=True)
class Choice:
    """The outcome of a trial.

    Attributes:
        goal: THROUGHPUT or LATENCY.
        date: when it was measured, "2026-11-27 06:00".
        others: cores that other programs used meanwhile.
        measured: the chosen arrangement, then the others, the fastest first.
        left_out: arrangements and backends that could not run, each with its reason.
    """

    goal: str
    date: str
    others: float
    measured: Tuple[Measured, ...]
    left_out: Tuple[str, ...] = ()

    @property
    def arrangement(self) -> Arrangement:
        """The one that was chosen."""
        return self.measured[0].arrangement

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        measured = [{**asdict(each.arrangement), "speed": each.speed} for each in self.measured]
        return {"goal": self.goal, "date": self.date, "others": self.others, "measured": measured,
                "left_out": list(self.left_out)}  # fmt: skip

    @classmethod
    def from_dict(cls, data: Any) -> Choice:
        """The choice of `to_dict`.

        Raises:
            UsageError: it is something else.
        """
        whole = _complete(data, FIELDS)
        rows = [_complete(row, ROW) for row in whole.pop("measured")]
        return cls(measured=tuple(Measured(speed=row.pop("speed"), arrangement=Arrangement(**row)) for row in rows),
                   **whole)  # fmt: skip

    def line(self, origin: str) -> str:
        """One line for people: "openvino, 2 threads: 31.2 images/s (onnxruntime, 2 threads 27.0; measured now)"."""
        figure, *others = (self._figure(each) for each in self.measured)
        unit = "ms for one image" if self.goal == LATENCY else "images/s"
        rest = [f"{each.arrangement} {shown}" for each, shown in zip(self.measured[1:], others)]
        busy = [f"other programs used {self.others:.1f} cores"] if self.others >= BUSY else []
        return f"{self.arrangement}: {figure} {unit} ({'; '.join([*rest, *self.left_out, *busy, origin])})"

    def _figure(self, each: Measured) -> str:
        return f"{1e3 / each.speed if self.goal == LATENCY else each.speed:.1f}"


def _complete(data: Any, known: Dict[str, fields.Field]) -> Dict[str, Any]:
    """The fields of a dictionary that has all of them.

    Raises:
        UsageError: it has not, or a value does not fit.
    """
    given = data if isinstance(data, dict) else {}
    found = check_fields(given, known, "it says that ", UsageError)
    lacking = known.keys() - found.keys()
    if lacking:
        raise UsageError(f"lacks {', '.join(sorted(lacking))}", hint="it is written anew")
    return found


FIELDS = {
    "goal": fields.one_of((THROUGHPUT, LATENCY)),
    "date": fields.text(40),
    "others": fields.number(0, 1e6),
    "measured": fields.several(fields.anything(), 1, MOST),
    "left_out": fields.several(fields.text(), 0, MOST),
}
ROW = {
    "backend": fields.text(64),
    "threads": OPTIONS["threads"],
    "streams": OPTIONS["streams"],
    "spinning": OPTIONS["spinning"],
    "batch": OPTIONS["batch"],
    "speed": fields.number(0, 1e9, above=True),
}
