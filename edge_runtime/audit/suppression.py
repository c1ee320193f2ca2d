"""Which candidates are kept: the thresholds, and NMS. Other ways of both are tried."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit.likeness import Floats, common
from edge_runtime.identify.agreement import iou
from edge_runtime.model.thresholds import Thresholds

OVERLAPS = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
MOST = 1000  # candidates of a picture that NMS looks at
TIE = 0.004  # of what is common, by which a simpler explanation may be behind
BORDER = 0.02  # a box that is so near a threshold says nothing of it


@dataclass(frozen=True)
class Nms:
    """One way to drop boxes that overlap.

    Attributes:
        iou: overlap from which a box is dropped; above 1 for no NMS.
        agnostic: whether boxes of other classes are dropped too.
        every: whether a box is kept under each of its classes.
    """

    iou: float
    agnostic: bool = False
    every: bool = False

    def kept(self, rows: Floats, overlaps: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which candidates (n, 6), best first, stay; `overlaps` (n, n) are their IoU."""
        kept = np.ones(len(rows), bool)
        if self.iou > 1 or not len(rows):
            return kept
        over = overlaps > self.iou
        if not self.agnostic:
            over &= rows[:, None, 5] == rows[None, :, 5]
        for row in range(len(rows)):
            if kept[row]:
                kept[row + 1 :] &= ~over[row, row + 1 :]
        return kept

    def unlike(self, other: Nms) -> str:
        """How it differs from another one, in words to follow "it has"; "" if it does not."""
        said = []
        if self.iou > 1:
            said.append("no NMS")
        elif self.iou != other.iou:
            said.append(f"NMS at IoU {self.iou:g}, not {other.iou:g}")
        if self.agnostic:
            said.append("NMS over all classes at once")
        if self.every != other.every:
            said.append("every class of a box" if self.every else "only the best class of a box")
        return ", ".join(said)


@dataclass(frozen=True)
class Cut:
    """Limits of what is reported.

    Attributes:
        conf: only scores above it.
        most: number of boxes in a picture, at most.
        classes: class numbers that are reported; None for all.
    """

    conf: float
    most: int
    classes: Optional[Tuple[int, ...]] = None

    def of(self, rows: Floats) -> Floats:
        """What is left of boxes (n, 6), best first."""
        kept = rows[rows[:, 4] > self.conf]
        if self.classes is not None:
            kept = kept[np.isin(kept[:, 5], self.classes)]
        return kept[: self.most]

    def unlike(self, other: Cut) -> str:
        """How it differs from another one, in words to follow "it has"; "" if it does not."""
        said = []
        if self.conf != other.conf:
            said.append(f"a confidence threshold near {self.conf:.3g}, not {other.conf:.3g}")
        if self.most != other.most:
            said.append(f"at most {self.most} boxes in a picture, not {other.most}")
        if self.classes is not None:
            said.append(f"boxes of {len(self.classes)} classes only")
        return ", ".join(said)


@dataclass(frozen=True)
class Selected:
    """A selection, and how much of the other side's boxes it gives.

    Attributes:
        alike: 0..1, see `likeness.common`.
        rows: by picture, its boxes (n, 6).
    """

    cut: Cut
    nms: Nms
    alike: float
    rows: Tuple[Floats, ...]


def of_thresholds(thresholds: Thresholds) -> Tuple[Cut, Nms]:
    """The limits and the NMS of this program at these thresholds."""
    return Cut(thresholds.conf, thresholds.max_det), Nms(thresholds.iou, every=thresholds.per_box_classes)


class Pool:
    """The candidates (n, 6) of one picture, best first. The overlaps and the results of NMS are kept."""

    def __init__(self, rows: Floats) -> None:
        self._rows = rows[:MOST]
        self._overlaps = iou(self._rows, self._rows).astype(np.float32)
        self._left: Dict[Nms, Floats] = {}

    def left(self, nms: Nms) -> Floats:
        """What NMS leaves, (m, 6). A threshold may come later: no box drops one that is surer."""
        if nms not in self._left:
            self._left[nms] = self._rows[nms.kept(self._rows, self._overlaps)]
        return self._left[nms]


Candidates = Mapping[bool, Sequence[Pool]]


def select(candidates: Candidates, cut: Cut, nms: Nms, theirs: Sequence[Floats]) -> Selected:
    """Selects from the candidates of all pictures, by `every`; `theirs` are the other side's boxes (n, 6)."""
    rows = tuple(cut.of(each.left(nms)) for each in candidates[nms.every])
    return Selected(cut, nms, common(rows, theirs), rows)


def best(candidates: Candidates, known: Tuple[Cut, Nms], theirs: Sequence[Floats], lowest: float) -> Selected:
    """The simplest selection that gives most of their boxes. The known one is the simplest.

    Args:
        theirs: by picture, the other side's boxes (n, 6), best first.
        lowest: the lowest score of all its boxes.
    """
    cut, nms = known
    tried = [select(candidates, cut, nms, theirs)]
    tried += [select(candidates, each, nms, theirs) for each in cuts(cut, tried[0].rows, theirs, lowest)]
    if max(each.alike for each in tried if each.cut.classes is None) < 1 - TIE:
        near = sorted(tried, key=lambda each: -each.alike)[:2]
        limits = {each.cut: None for each in (tried[0], *near)}
        tried += [select(candidates, limit, other, theirs) for limit in limits for other in _suppressions(nms)]
    most = max(each.alike for each in tried)
    close = [each for each in tried if each.alike >= most - TIE]
    return min(close, key=lambda each: (_changes(each, known), -each.alike))


def _changes(each: Selected, known: Tuple[Cut, Nms]) -> Tuple[float, float]:
    cut, nms = known
    changed = [each.cut.conf != cut.conf, each.cut.most != cut.most, 1.5 * (each.cut.classes != cut.classes),
               each.nms.iou != nms.iou, each.nms.agnostic, each.nms.every != nms.every]  # fmt: skip
    return sum(changed), abs(each.nms.iou - nms.iou)


def cuts(cut: Cut, ours: Sequence[Floats], theirs: Sequence[Floats], lowest: float) -> List[Cut]:
    """The limits that the other side's boxes (n, 6) suggest, if they are not the known ones."""
    low = replace(cut, conf=float(np.nextafter(np.float32(lowest), np.float32(0))))
    low = low if abs(lowest - cut.conf) > BORDER else cut
    found, most = [low], max(map(len, theirs))
    if any(len(rows) > most for rows in ours):
        found += [replace(each, most=max(1, most)) for each in (cut, low)]
    classes = _classes(theirs)
    if set(_classes(ours)) - set(classes):
        found += [replace(each, classes=classes) for each in (cut, low)]
    return found


def _classes(rows: Sequence[Floats]) -> Tuple[int, ...]:
    return tuple(int(number) for number in np.unique(np.concatenate([each[:, 5] for each in rows])))


def _suppressions(nms: Nms) -> Iterator[Nms]:
    for every in (nms.every, not nms.every):
        for agnostic in (False, True):
            for overlap in sorted({nms.iou, *OVERLAPS}):
                yield Nms(overlap, agnostic, every)
        yield Nms(2.0, False, every)
