"""ByteTrack in numpy: csrc/track.h, csrc/kalman.h and csrc/assign.h with the same operations in the same order."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any, Callable, List, Tuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST = 1000


def assign(gain: Floats) -> List[int]:
    """The column of each row, or -1, with the greatest total gain. Only gains above 0 are pairs."""
    rows, cols = gain.shape
    u, v = np.zeros(rows), np.zeros(cols)
    column_of, row_of, via = [-1] * rows, [-1] * cols, [-1] * cols
    for start in range(rows):
        distance, tree, seen = np.full(cols, inf), np.zeros(cols, bool), []
        alone, alone_row, base, row, column = inf, -1, 0.0, start, -1
        while row >= 0:
            if base - u[row] < alone:
                alone, alone_row = base - u[row], row
            length = base - gain[row] - u[row] - v
            for j in np.flatnonzero((gain[row] > 0) & ~tree & (length < distance)):
                distance[j], via[j] = length[j], row
            open_ = np.where(tree, inf, distance)
            column = int(np.argmin(open_)) if cols and open_.min() < alone else -1
            if column < 0:
                break
            base, tree[column], row = distance[column], True, row_of[column]
            if row >= 0:
                seen.append(column)
        length_s = alone if column < 0 else base
        u[start] += length_s
        for j in seen:
            u[row_of[j]] += length_s - distance[j]
            v[j] -= length_s - distance[j]
        if column < 0:
            column, column_of[alone_row] = column_of[alone_row], -1
        while column >= 0:
            row = via[column]
            following, row_of[column], column_of[row] = column_of[row], row, column
            column = following if row != start else -1
    return column_of


class Kalman:
    """State (4, 2) of centre x, centre y, aspect and height with their speeds, and covariances (4, 2, 2)."""

    def __init__(self, box: Floats) -> None:
        z = measured(box)
        self.state = np.stack([z, np.zeros(4)], axis=1)
        self.cov = np.zeros((4, 2, 2))
        self.cov[:, 0, 0], self.cov[:, 1, 1] = _noise(z[3] / 10, 1e-2) ** 2, _noise(z[3] / 16, 1e-5) ** 2

    def predict(self, n: float) -> None:
        """F P F' + Q of `n` frames."""
        q, r = _noise(self.state[3, 0] / 20, 1e-2) ** 2, _noise(self.state[3, 0] / 160, 1e-5) ** 2
        pp, pv, vv = self.cov[:, 0, 0], self.cov[:, 0, 1], self.cov[:, 1, 1]
        self.state[:, 0] += n * self.state[:, 1]
        pp += n * (2.0 * pv + n * vv) + n * q + r * (n * (n - 1.0) * (2.0 * n - 1.0) / 6.0)
        pv += n * vv + r * (n * (n - 1.0) / 2.0)
        vv += n * r

    def correct(self, box: Floats) -> None:
        """The gain P H' / S, and P - K S K'."""
        pp, pv, vv = self.cov[:, 0, 0], self.cov[:, 0, 1], self.cov[:, 1, 1]
        s = pp + _noise(self.state[3, 0] / 20, 1e-1) ** 2
        k, speed_k, error = pp / s, pv / s, measured(box) - self.state[:, 0]
        self.state[:, 0] += k * error
        self.state[:, 1] += speed_k * error
        vv -= speed_k * pv
        pv -= k * pv
        pp -= k * pp

    def box(self) -> Floats:
        """(4,) x1, y1, x2, y2."""
        x, y, aspect, height = self.state[:, 0]
        half = np.array([aspect * height / 2.0, height / 2.0])
        return np.array([x - half[0], y - half[1], x + half[0], y + half[1]])


def measured(box: Floats) -> Floats:
    """(4,) corners as centre x, centre y, aspect, height."""
    w, h = box[2] - box[0], box[3] - box[1]
    return np.array([box[0] + w / 2.0, box[1] + h / 2.0, w / h, h])


def _noise(of_height: float, aspect: float) -> Floats:
    return np.array([of_height, of_height, aspect, of_height])


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """(n,) IoU of a box with (n, 4) others."""
    w = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    h = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    inter = np.where((w > 0) & (h > 0), w * h, 0.0)
    return inter / np.where(inter > 0, (box[2] - box[0]) * (box[3] - box[1]) + areas - inter, 1.0)


@dataclass
class Track:
    """One object."""

    filter: Kalman
    class_id: int
    seen_s: float
    id: int = 0
    hits: int = 0
    missed: bool = False
    box: int = -1  # of this frame
    corners: Floats = field(default_factory=lambda: np.zeros(4))


@dataclass
class Tracker:
    """See csrc/track.h."""

    sure: float
    unsure: float
    overlap: float
    low_overlap: float
    lost_s: float
    min_hits: int
    by_class: bool
    tracks: List[Track] = field(default_factory=list)
    time_s: float = 0.0
    last_id: int = 0

    def update(self, xyxy: Any, confidence: Any, class_id: Any, time_s: float) -> NDArray[np.int32]:
        """The id of each box, or -1."""
        boxes = np.asarray(xyxy, np.float64)
        ids = np.full(len(boxes), -1, np.int32)
        self._advance(time_s)
        usable = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        usable &= np.arange(len(boxes)) < MOST
        sure = np.flatnonzero(usable & (confidence >= np.float32(self.sure))).tolist()
        unsure = np.flatnonzero(
            usable & (confidence >= np.float32(self.unsure)) & ~(confidence >= np.float32(self.sure))
        ).tolist()
        found = (boxes, class_id)
        self._match(lambda t: t.id > 0, sure, self.overlap, found)
        self._match(lambda t: t.id > 0, unsure, self.low_overlap, found)
        self._match(lambda t: t.id == 0, sure, self.overlap, found)
        for track in self.tracks:
            track.missed = track.box < 0
            if track.box >= 0:
                track.filter.correct(boxes[track.box])
                self._hit(track, track.box, class_id, ids)
        self.tracks = [track for track in self.tracks if track.id > 0 or not track.missed]
        for i in sure[: MOST - len(self.tracks)]:
            self.tracks.append(Track(Kalman(boxes[i]), 0, 0.0))
            self._hit(self.tracks[-1], i, class_id, ids)
        return ids

    def state(self) -> List[List[float]]:
        """Corners, id, class and time of each track."""
        return [[*t.filter.box().tolist(), t.id, t.class_id, t.seen_s] for t in self.tracks]

    def _advance(self, time_s: float) -> None:
        if time_s < self.time_s:
            self.tracks = []
        frames, self.time_s = (time_s - self.time_s) * 30.0, time_s
        self.tracks = [t for t in self.tracks if not time_s - t.seen_s > self.lost_s]
        for track in self.tracks:
            if track.missed:
                track.filter.state[3, 1] = 0
            track.filter.predict(frames)
            track.corners, track.box = track.filter.box(), -1

    def _match(self, wanted: Callable[[Track], bool], left: List[int], least: float, found: Tuple[Any, Any]) -> None:
        rows = [track for track in self.tracks if track.box < 0 and wanted(track)]
        if not rows or not left:
            return
        gain = np.stack([np.maximum(0.0, overlaps(track.corners, found[0][left]) - least) for track in rows])
        if self.by_class:
            gain[np.array([t.class_id for t in rows])[:, None] != np.asarray(found[1])[left]] = 0
        for track, column in zip(rows, assign(gain)):
            track.box = left[column] if column >= 0 else -1
        left[:] = [i for i in left if all(track.box != i for track in rows)]

    def _hit(self, track: Track, box: int, class_id: Any, ids: NDArray[np.int32]) -> None:
        track.seen_s, track.class_id, track.hits = self.time_s, int(class_id[box]), track.hits + 1
        if track.id == 0 and track.hits >= self.min_hits:
            self.last_id += 1
            track.id = self.last_id
        ids[box] = track.id or -1
