"""What pictures tell about the accuracy that another precision costs, and the sentence that may be said about it.

A loss is known only as well as the pictures allow. Samples of the pictures (bootstrap) give an interval. They cannot
show what never happened: if none of n boxes is lost, up to 3 / n of all boxes may be lost (95 %; the rule of three,
Hanley and Lippman-Hand 1983). The wider of the two counts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Dict, Optional, Tuple

from edge_runtime.errors import ModelError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields

AP, AGREEMENT = "AP", "agreement"
USE, AVOID, UNKNOWN = "use", "avoid", "unknown"
RULE_OF_THREE = 300.0  # points: 100 * 3
CHANCE = 4.0  # times the allowed loss of AP: what may be possible where INT8 is recommended
# Boxes move a little, and cross the threshold, without a change of AP. INT8 files of two detectors, damaged in grades,
# lost points of AP that grow as (x / 14)^2 with the points of agreement x: but for chance, never more
# (tools/reference/agreement.md). So these points, times the square root of twice the AP, may be lost: measured, and
# possible.
AGREEING, POSSIBLY = 10.0, 15.0
LITTLE = 1.05  # times as fast, or less: no reason to change
FIELDS = {
    "metric": fields.one_of((AP, AGREEMENT)),
    **dict.fromkeys(("drop", "low", "high"), fields.number(-100, 100)),
    "boxes": fields.whole(0, 1 << 40),
    "pictures": fields.whole(0, 1 << 40),
}


@dataclass(frozen=True)
class Evidence:
    """The loss of one form of a network against another, as it was measured on pictures.

    Attributes:
        metric: `AP` (coco_101), or `agreement` of the boxes where there are no labels.
        drop: loss in points (100 points are everything); below 0 for a gain.
        low, high: interval of the drop that holds 95 % of the samples of the pictures.
        boxes: number of boxes that at least one of the two found.
        pictures: number of pictures.
    """

    metric: str
    drop: float
    low: float
    high: float
    boxes: int
    pictures: int

    @property
    def interval(self) -> Tuple[float, float]:
        """The least and the largest loss, points, that the pictures leave possible (95 %)."""
        if not self.boxes:
            return -100.0, 100.0
        unseen = RULE_OF_THREE / self.boxes
        return max(-100.0, min(self.low, self.drop - unseen)), min(100.0, max(self.high, self.drop + unseen))

    def answer(self, max_drop: float) -> str:
        """Whether the other form can be used: `USE`, `AVOID`, or `UNKNOWN` if the pictures do not show it.

        Args:
            max_drop: points of AP that may be lost.
        """
        if not self.boxes:
            return UNKNOWN
        measured, possible, certain = limits(self.metric, max_drop)
        if self.drop > measured:
            return AVOID if self.interval[0] > certain else UNKNOWN
        return USE if max(self.interval[1], self.drop + RULE_OF_THREE / self.boxes) <= possible else UNKNOWN

    def loss(self) -> str:
        """The loss in words, with what is possible and what was looked at."""
        most = self.interval[1]
        may = f"at most {most:.2f} lost" if self.drop < 0 else f"at most {most:.2f}"
        seen = f"{count(self.boxes, 'box', 'boxes')} in {count(self.pictures, 'picture', 'pictures')}"
        return f"{points(self.drop, f' of {self.metric}')}, {may} (95 %; {seen})"

    def to_json(self) -> str:
        """Returns the text for a file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, where: str = "") -> Evidence:
        """Reads what `to_json` wrote.

        Args:
            where: beginning of an error message, "verdict of m.onnx: ".

        Raises:
            ModelError: it is something else.
        """
        try:
            content: Dict[str, Any] = read.parse_json_object(text)
        except ValueError as error:
            raise ModelError(f"{where}it {error}", hint="make the file again with edge-calibrate") from error
        given = {name: content.get(name) for name in FIELDS}
        return cls(**check_fields(given, FIELDS, where, ModelError))


def limits(metric: str, max_drop: float) -> Tuple[float, float, float]:
    """Points of a metric where `max_drop` points of AP may be lost.

    Returns what may be lost as measured, what may be possible, and what is certain (above it) if the answer is no.
    """
    if metric == AP:
        return max_drop, CHANCE * max_drop, 0.0
    root = sqrt(2 * max_drop)
    return AGREEING * root, POSSIBLY * root, AGREEING * root


def sentence(
    before: str, after: str, evidence: Evidence, max_drop: float, gain: Optional[float] = None, extra: str = ""
) -> str:
    """Returns the verdict in one or two sentences. It recommends nothing that the evidence does not carry.

    Args:
        before, after: names of the two precisions: "fp32", "INT8".
        max_drop: points of AP that may be lost.
        gain: how many times as fast the other form is here; None if it was not timed.
        extra: a fact for the end of the sentence: "12 % of the multiplications stay in float".
    """
    if not evidence.boxes:
        there = "in it" if evidence.pictures == 1 else "in them"
        return (f"{_these(evidence.pictures)} cannot say what {after} costs: neither {before} nor {after} finds a box "
                f"{there}. Give pictures of what the model detects.")  # fmt: skip
    facts = "; ".join(filter(None, (_speed(before, gain), evidence.loss(), extra)))
    answer = evidence.answer(max_drop)
    if answer == AVOID:
        return f"Do not use {after} if accuracy is important: {facts}."
    if answer == UNKNOWN:
        return (
            f"{_these(evidence.pictures)} cannot say whether to use {after}: {facts}. Give more pictures with objects."
        )
    if gain is not None and gain < LITTLE:
        return f"{after} brings little on this machine: {facts}."
    return f"Use {after}: {facts}."


def points(drop: float, what: str = "") -> str:
    """Returns a drop as words: `0.04 points gained` for -0.04."""
    return f"{abs(drop):.2f} points{what} {'lost' if drop >= 0 else 'gained'}"


def count(number: int, one: str, many: str) -> str:
    """Returns a number and its unit: `1 box`, `2 boxes`."""
    return f"{number} {one if number == 1 else many}"


def _speed(before: str, gain: Optional[float]) -> str:
    if gain is None:
        return ""
    return (
        f"{gain:.1f} times as fast as {before} here"
        if gain >= LITTLE
        else f"no faster than {before} here ({gain:.2f}x)"
    )


def _these(pictures: int) -> str:
    return "This picture" if pictures == 1 else f"These {pictures} pictures"
