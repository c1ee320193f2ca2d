"""What an audit finds: a verdict for each stage, and everything that a reader may want to see of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from edge_runtime.audit.layers import Layers
from edge_runtime.audit.likeness import Floats
from edge_runtime.audit.preparations import Image

PIXELS, LAYERS, DECODING, THRESHOLDS, NMS = STAGES = ("pixels", "layers", "decoding", "thresholds", "NMS")
EQUAL, PARTS, OPEN = "equal", "parts here", "not compared"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: one of STAGES.
        verdict: EQUAL, PARTS or OPEN.
        figure: how near the two sides are, "41.2 dB" or "97 % of its boxes"; "" if nothing is measured.
        about: what differs, to follow "B has"; or why it is not compared; or a remark.
        whole: whether `about` is a clause of its own.
    """

    name: str
    verdict: str
    figure: str = ""
    about: str = ""
    whole: bool = True


@dataclass(frozen=True)
class Tried:
    """A deviation that was tried.

    Attributes:
        stage: the stage that it belongs to.
        words: what it is, to follow "B has".
        left: part of the other side that it does not explain, 0..1.
    """

    stage: str
    words: str
    left: float


@dataclass(frozen=True)
class Seen:
    """One picture.

    Attributes:
        ours, theirs: boxes (n, 6) `[x1, y1, x2, y2, score, class_id]` of the two sides, pixels of the picture, in the
            order of the command line.
        alike: how much of them is the same, 0..1.
    """

    path: str
    image: Image
    ours: Floats
    theirs: Floats
    alike: float


@dataclass(frozen=True)
class Audit:
    """The result.

    Attributes:
        names: of the two sides, in the order of the command line.
        base, other: the side whose network tries the deviations, and the side that is explained.
        stages: the five stages in order.
        pictures: the worst first.
        layers: if two graphs were compared.
        tried: deviations, the nearest first.
        labels: class names.
    """

    names: Tuple[str, str]
    base: str
    other: str
    stages: Tuple[Stage, ...]
    pictures: Tuple[Seen, ...]
    layers: Optional[Layers]
    tried: Tuple[Tried, ...]
    labels: Tuple[str, ...]
    notes: Tuple[str, ...] = ()

    @property
    def first(self) -> Optional[Stage]:
        """The first stage where they part; None if there is none."""
        return next((stage for stage in self.stages if stage.verdict == PARTS), None)
