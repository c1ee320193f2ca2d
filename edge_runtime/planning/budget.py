"""A budget: what a run may take and must reach; and how an engine meets each part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional

from edge_runtime.planning.estimates import Estimate

SURE, LIKELY, MISSED = "sure", "likely", "missed"


@dataclass(frozen=True)
class Budget:
    """What is wanted. What is None does not matter.

    Attributes:
        watts: mean watts of the whole machine that may be drawn.
        energy_j, seconds: where the watts come from, to say how long the energy lasts.
        fps: frames per second of each camera; None for as many as the watts and the engine allow.
        cameras: how many there are.
        ap: least AP (coco_101) of the engine, 0..1.
        gate: part of the frames that a motion gate leaves to infer, as the user expects it.
    """

    watts: Optional[float] = None
    energy_j: Optional[float] = None
    seconds: Optional[float] = None
    fps: Optional[float] = None
    cameras: int = 1
    ap: Optional[float] = None
    gate: Optional[float] = None


@dataclass(frozen=True)
class Check:
    """One part of a budget beside what an engine has.

    Attributes:
        what: "watts", "FPS" or "AP".
        need: the limit.
        have: the engine's figure.
        at_most: whether the figure must not be larger; else it must not be smaller.
    """

    what: str
    need: float
    have: Estimate
    at_most: bool = False

    @property
    def beyond(self) -> float:
        """How many times the limit is missed; up to 1 if it is met."""
        far, limit = (self.have.value, self.need) if self.at_most else (self.need, self.have.value)
        return far / limit if limit > 0 else float("inf")

    @property
    def state(self) -> str:
        """`SURE` if the whole interval meets the limit, `LIKELY` if the figure does, else `MISSED`."""
        if self.beyond > 1:
            return MISSED
        return SURE if (self.have.high <= self.need if self.at_most else self.have.low >= self.need) else LIKELY

    def to_dict(self) -> Dict[str, object]:
        """Returns plain data for JSON."""
        return {"what": self.what, "need": self.need, **self.have.to_dict(), "state": self.state}
