"""What a recorder of a pipeline sees. `edge_runtime.blackbox` is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Protocol

from edge_runtime.detect.detector import Detector
from edge_runtime.loop.rules import Rules
from edge_runtime.types import Detections, Result

if TYPE_CHECKING:
    from edge_runtime.loop.ring import Lease


class Work(NamedTuple):
    """How the boxes of a frame were found.

    Attributes:
        detector: ran on it.
        found: the boxes before the rules of the stream and before tracking.
        rules: of the stream.
        slot: of the backend; its outputs are valid as long as `Recorder.see` runs. None if nothing was inferred.
        number: of the frame in the slot.
        run: counts the runs of the detector from 1 on.
        tracks: state of the stream's tracker before this frame, if the recorder asked for it.
    """

    detector: Detector
    found: Detections
    rules: Rules
    slot: Optional[int]
    number: int
    run: int
    tracks: Any = None


class Recorder(Protocol):
    """Sees everything that a pipeline does. No call raises an error, and none waits longer than for a frame of a file.

    Attributes:
        seconds: how much is kept.
        most_bytes: the most bytes that are kept.
        holds: the most frames that it keeps from being used again.
    """

    seconds: float
    most_bytes: int
    holds: int

    def follow(self, pipeline: Any) -> None:
        """Belongs to this `Pipeline` from now on. Nothing runs yet."""

    def start(self) -> None:
        """The run begins."""

    def wants_tracks(self, source: str) -> bool:
        """Whether the next call of `see` for this source shall have the state of its tracker."""

    def see(self, lease: Lease, result: Result) -> None:
        """Takes a result before the outputs do. The thread that detects calls it."""

    def fault(self, kind: str, name: str, error: BaseException) -> None:
        """Something failed: a "source", a "sink", or the "run". Any thread calls it."""

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON."""

    def end(self) -> None:
        """The run has ended, and all outputs are closed."""
