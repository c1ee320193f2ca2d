"""Scenes of moving boxes, through a tracker and a maker."""

from __future__ import annotations

from collections import Counter
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.events.maker import Draft, Maker
from edge_runtime.events.options import EventOptions
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.tracker import SourceTrackers
from edge_runtime.types import Detections, Frame, Result

Row = Tuple[float, float, float, float, float, int]  # box, confidence, class
LABELS = ("person", "car")
WH = (640, 480)


class Scene:
    """One source: frames go in, drafts come out. `now_s` is Unix time, which has nothing to do with that of frames."""

    def __init__(self, track: TrackOptions = TrackOptions(), options: EventOptions = EventOptions()) -> None:
        self.trackers = SourceTrackers(track)
        self.maker = Maker("run-cam", options, track.lost_s)
        self.drafts: List[Draft] = []
        self.index, self.unix_s = 0, 1_000_000.0

    def frame(
        self, rows: Sequence[Row], time_s: float, restarts: int = 0, live: bool = False, wh: Tuple[int, int] = WH
    ) -> List[Draft]:
        image = np.zeros((wh[1], wh[0], 3), np.uint8)
        frame = Frame(image, "cam", self.index, time_s)
        found = Detections.from_rows(np.array(rows, np.float32).reshape(-1, 6), LABELS)
        found.image_wh = wh
        found, places = self.trackers.update(found, frame, restarts)
        made = list(self.maker.see(Result(frame, found, places=places), live, restarts, self.unix_s))
        self.drafts += made
        self.index, self.unix_s = self.index + 1, self.unix_s + 0.001
        return made

    def end(self, why: str = "end of run") -> List[Draft]:
        made = list(self.maker.end(why, self.unix_s))
        self.drafts += made
        return made

    def of(self, kind: str, key: Optional[str] = None) -> List[Draft]:
        return [draft for draft in self.drafts if draft.kind == kind and key in (None, draft.key)]

    @property
    def summary(self) -> Dict[str, Dict[str, int]]:
        return self.trackers.summary().get("cam", {"objects": {}})


def walk(scene: Scene, x: Sequence[float], y: float = 200, first_s: float = 0.0, step_s: float = 0.1) -> None:
    """A person whose box has its left side at these places, one after the other."""
    for number, left in enumerate(x):
        scene.frame([(left, y, left + 60, y + 120, 0.9, 0)], first_s + number * step_s)


def check_stories(drafts: Sequence[Draft]) -> Iterator[str]:
    """Each object begins once, ends once, and nothing of it comes before or after. Yields the keys."""
    by_key: Dict[str, List[str]] = {}
    for draft in drafts:
        if draft.key:
            by_key.setdefault(draft.key, []).append(draft.kind)
    for key, kinds in by_key.items():
        assert kinds[0] == "new" and kinds[-1] == "end", (key, kinds)
        counts = Counter(kinds)
        assert counts["new"] == counts["end"] == 1, (key, kinds)
        yield key
