"""Where two machines part: for each stage, how many frames are equal, and the first that is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional

# In the order of a frame's way. All but the network are computed by the host, and are then equal to the bit.
STAGES = {
    "picture": "the decoded picture",
    "tensor": "the network's input",
    "network": "the network's boxes, from the picture on",
    "decoding": "boxes from the recorded outputs of the network",
    "tracking": "ids and places from the recorded boxes",
    "result": "the line of the result",
}
HOST = ("picture", "tensor", "decoding", "tracking")


@dataclass
class Stage:
    """One stage.

    Attributes:
        name: one of STAGES.
        equal: number of frames in which both are equal.
        differ: number of frames in which they differ.
        first: of the first one that differs: its number in the recording, source, index, and by how much.
        why: what may explain it; "" if nothing is known.
    """

    name: str
    equal: int = 0
    differ: int = 0
    first: Optional[Dict[str, Any]] = None
    why: str = ""

    def take(self, same: bool, number: int, row: Dict[str, Any], figure: str) -> None:
        """One more frame, with the row of its result."""
        self.equal, self.differ = self.equal + same, self.differ + (not same)
        if not same and self.first is None:
            self.first = {"number": number, "source": row["source"], "frame": row["frame"], "figure": figure}

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return {"stage": self.name, "what": STAGES[self.name], "equal": self.equal, "differ": self.differ,
                "first": self.first, "why": self.why}  # fmt: skip


class Comparison:
    """All stages.

    Attributes:
        stages: by name, in order.
        frames: number of results that were replayed.
        pictures: number of those whose picture is in the recording.
    """

    def __init__(self) -> None:
        self.stages = {name: Stage(name) for name in STAGES}
        self.frames = self.pictures = 0

    @property
    def first(self) -> Optional[Stage]:
        """The first stage, in the order of a frame's way, that differs anywhere; None if all are equal."""
        return next((stage for stage in self.stages.values() if stage.differ), None)

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        first = self.first
        stages = [stage.to_dict() for stage in self.stages.values()]
        parts_at = first and first.name
        return {"frames": self.frames, "pictures": self.pictures, "equal": first is None,
                "parts_at": parts_at, "stages": stages}  # fmt: skip
