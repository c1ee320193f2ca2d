"""The motion gate: frames of a source in which nothing moves cost no inference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import Dict, Optional

import numpy as np

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.loop.ring import Lease
from edge_runtime.types import Detections


@dataclass(frozen=True)
class GateOptions:
    """When a motion gate is open, in seconds of the frames' own time.

    Attributes:
        every_s: without motion, one frame in this time is inferred.
        tail_s: after motion, all frames are inferred for so long. If the last two of them show other objects, twice.
    """

    every_s: float = 2.0
    tail_s: float = 1.0

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)


FIELDS = {"every_s": fields.number(0, 3600), "tail_s": fields.number(0, 3600)}


@dataclass
class _Gate:
    """The state of one source. Times are those of its frames."""

    inferred_s: float = -inf
    moved_s: float = -inf
    check_s: float = -inf
    found: Optional[Detections] = None
    steady: bool = False  # whether the last two frames that were inferred show as many objects of each class


class Gates:
    """A gate for each source of a pipeline. The detecting thread calls it, in the order of the frames.

    A frame that is not inferred repeats what was found in the last one that was. If a frame that was inferred without
    motion shows other objects than before, the gate opens as after motion: something was missed. It closes on a result
    that two frames in turn have shown, so that the box of one moment is not repeated. It waits for that `tail_s` more.
    """

    def __init__(self, options: GateOptions) -> None:
        self._options = options
        self._gates: Dict[int, _Gate] = {}

    def admits(self, lease: Lease) -> bool:
        """Whether a frame is to be inferred. Pictures from files always are: they are of different scenes."""
        frame = lease.frame
        assert frame is not None
        if frame.path is not None:
            return True
        gate, now_s = self._gates.setdefault(lease.source, _Gate()), frame.timestamp_s
        if lease.moved:
            gate.moved_s = now_s
        due = not 0 <= now_s - gate.inferred_s < self._options.every_s
        tail_s = self._options.tail_s if gate.steady else 2 * self._options.tail_s
        opened = 0 <= now_s - gate.moved_s <= tail_s
        if due and not opened:
            gate.check_s = now_s
        if due or opened:
            gate.inferred_s = now_s
        return due or opened

    def keep(self, lease: Lease, found: Detections) -> None:
        """Keeps what was found in a frame that was inferred. Of tracked boxes, those of objects."""
        gate = self._gates.get(lease.source)
        if gate is None or lease.frame is None:
            return
        found = found if found.tracker_id is None else found[np.flatnonzero(found.tracker_id > 0)]
        if gate.found is not None:
            gate.steady = not _unlike(found, gate.found)
            if lease.frame.timestamp_s == gate.check_s and not gate.steady:
                gate.moved_s = gate.check_s
        gate.found = found

    def repeat(self, lease: Lease) -> Detections:
        """A copy of what was found in the last frame that was inferred."""
        found = self._gates[lease.source].found
        assert found is not None, "the first frame is inferred"
        return found[:]

    def forget(self, source: int) -> None:
        """Frees the state of a source that ended."""
        self._gates.pop(source, None)


def _unlike(found: Detections, before: Detections) -> bool:
    """Whether the numbers of objects of the classes differ."""
    return Counter(found.class_id.tolist()) != Counter(before.class_id.tolist())
