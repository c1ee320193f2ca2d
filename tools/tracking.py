"""Our tracker beside ByteTrack of the package `trackers`, over the same boxes: recordings, and scenes of known objects.

pip install --no-deps --target DIR trackers                  # Python 3.10 or later; the rest of it is in [dev]
PYTHONPATH=DIR python tools/tracking.py --engine yolo11n.onnx [VIDEO ...]   # into tools/reference/tracking.{json,md}

Both get the same thresholds and the times of the frames. "Same" is the part of the boxes with an id in both to which
both give the same object, by the pairing of ids that fits most boxes.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from bench import report
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from edge_runtime import Detections, Detector, Line, Pipeline, Tracker, TrackOptions, Zone  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "tracking.json"
SURE, LOW, HITS, IOU, FPS = 0.25, 0.1, 2, 0.2, 30.0
COLUMNS = (
    "scene", "frames", "boxes", "ids of ours", "ids of theirs", "id in both", "in ours only", "in theirs only", "same"
)  # fmt: skip
PLACES = (
    "scene",
    "crossings, ours",
    "crossings, theirs",
    "boxes in the zone, ours",
    "theirs",
    "in one of the two only",
)
TRUTH = ("scene", "objects", "changes, ours", "changes, ours by class", "changes, theirs")
RATES = {"every frame": 1.0, "a third of the frames dropped": 0.67}


class Frame(NamedTuple):
    """The boxes of a frame, its time in seconds, and the object of each box (-1: none), where that is known."""

    found: Detections
    time_s: float
    objects: Optional[List[int]] = None


Ids = List[List[int]]  # of each frame, of each box; -1 for none


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", help="recordings")
    parser.add_argument("--engine", help="the detector for recordings")
    parser.add_argument("--scenes", type=int, default=20, help="generated scenes of each kind")
    args = parser.parse_args(argv)
    agreement, truth, places = tables = empty_tables()
    for name, clips in [*recordings(args.engine, args.videos), *generated(args.scenes)]:
        add(agreement, beside(name, clips))
        add(places, beside_supervision(name, clips))
        if clips[0][0].objects is not None:
            add(truth, against_truth(name, clips))
    for table in tables:
        print(table.markdown())
    report.save(TARGET, "Tracking beside other implementations", report.machine(), tables)
    return 0


def empty_tables() -> List[Table]:
    """The three tables, with what their readers must know."""
    names = ("The same objects", COLUMNS), ("Objects whose id changes", TRUTH), ("Lines and zones", PLACES)
    agreement, truth, places = tables = [Table(*each) for each in names]
    agreement.notes += [
        f"trackers {metadata.version('trackers')}, ByteTrackTracker. Both: confidence {SURE}, IoU {IOU}, {HITS} hits,"
        f" 1 s; boxes from {LOW} on.",
        "Theirs has a filter over corners, one IoU for both stages, and no precedence of confirmed tracks.",
    ]
    truth.notes += ["A change: another id than the object last had. One box in a hundred has another class."]
    places.notes += [
        f"supervision {metadata.version('supervision')}, LineZone and PolygonZone, over our ids: a line in the middle,"
        " the left half as the zone.",
        "LineZone forgets an object that it does not see in two frames. Ours remembers it as long as it keeps its id.",
    ]
    return tables


def add(table: Table, values: Sequence[Any]) -> None:
    table.data.append(dict(zip(table.columns, values)))
    table.rows.append([f"{value:.4f}" if isinstance(value, float) else str(value) for value in values])


def recordings(engine: Optional[str], videos: Sequence[str]) -> Iterator[Tuple[str, List[List[Frame]]]]:
    for video in videos:
        with Detector.open(str(engine), conf=LOW) as detector:
            results = Pipeline(detector, video)
            yield Path(video).name, [[Frame(result.detections, result.frame.timestamp_s) for result in results]]


def generated(count: int) -> Iterator[Tuple[str, List[List[Frame]]]]:
    for name, rate in RATES.items():
        yield f"{count} scenes, {name}", [scene(seed, rate) for seed in range(count)]


def scene(seed: int, rate: float, frames: int = 300, objects: int = 12) -> List[Frame]:
    """Objects on straight ways that hide one another. The more of an object is hidden, the less sure is its box."""
    rng = np.random.default_rng(seed)
    at, speed = rng.uniform(0, 900, (objects, 2)), rng.uniform(-4, 4, (objects, 2))
    size, classes, out = rng.uniform(40, 120, (objects, 2)), rng.integers(0, 3, objects), []
    for index in range(frames):
        at += speed
        speed[(at < 0) | (at > 900)] *= -1
        boxes = np.concatenate([at, at + size], axis=1)
        hidden = [max((covered(boxes[i], boxes[j]) for j in range(i)), default=0) for i in range(objects)]
        confidence = (1 - np.array(hidden)) * rng.uniform(0.5, 1, objects)
        rows = np.flatnonzero((confidence > LOW) & (rng.random(objects) < 0.97))
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
        named = np.where(rng.random(objects) < 0.01, (classes + 1) % 3, classes)
        noisy = boxes + rng.normal(0, 1.5, boxes.shape)
        table = np.column_stack([noisy, confidence, named])[rows].astype(np.float32)
        if rng.random() < rate:
            out.append(Frame(Detections.from_rows(table), index / FPS, rows.tolist()))
    return out


def covered(box: Any, by: Any) -> float:
    sides = np.minimum(box[2:], by[2:]) - np.maximum(box[:2], by[:2])
    return float(np.maximum(sides, 0).prod() / (box[2:] - box[:2]).prod())


def our_ids(clip: List[Frame], by_class: bool) -> Ids:
    """A box that the tracker leaves out has no id."""
    tracker = Tracker(TrackOptions(SURE, LOW, IOU, lost_s=1.0, min_hits=HITS, by_class=by_class))
    out = []
    for frame in clip:
        given = frame.found.xyxy.tolist()
        known = {tuple(box.xyxy): box.tracker_id for box in tracker.update(frame.found, frame.time_s)}
        out.append([known.get(tuple(box)) or -1 for box in given])
    return out


def their_ids(clip: List[Frame]) -> Ids:
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(
        lost_track_buffer=30, frame_rate=FPS, track_activation_threshold=SURE, minimum_consecutive_frames=HITS,
        minimum_iou_threshold=IOU, high_conf_det_threshold=SURE,
    )  # fmt: skip
    out = []
    for frame in clip:
        theirs = frame.found.to_supervision()
        theirs.data["row"] = np.arange(len(theirs))
        tracked, ids = tracker.update(theirs, timestamp=frame.time_s), [-1] * len(theirs)
        for row, number in zip(tracked.data.get("row", ()), tracked.tracker_id):
            ids[int(row)] = int(number)
        out.append(ids)
    return out


def beside(name: str, clips: List[List[Frame]]) -> List[Any]:
    """A row of the first table."""
    sums: Counter[str] = Counter()
    for clip in clips:
        sums.update(agreement(our_ids(clip, by_class=False), their_ids(clip)))
    boxes = sum(len(frame.found) for clip in clips for frame in clip)
    counts = [sums[key] for key in ("ours", "theirs", "both", "ours only", "theirs only")]
    return [name, sum(map(len, clips)), boxes, *counts, sums["same"] / max(sums["both"], 1)]


def agreement(ours: Ids, theirs: Ids) -> Dict[str, int]:
    """Numbers of ids and boxes; "same": boxes of paired ids, paired one to one so that the most boxes agree."""
    from scipy.optimize import linear_sum_assignment

    pairs = [pair for mine, other in zip(ours, theirs) for pair in zip(mine, other)]
    both = Counter(pair for pair in pairs if min(pair) >= 0)
    rows, cols = (sorted({pair[side] for pair in pairs if pair[side] >= 0}) for side in (0, 1))
    table = np.array([[both[row, col] for col in cols] for row in rows]).reshape(len(rows), len(cols))
    return {
        "ours": len(rows),
        "theirs": len(cols),
        "both": sum(both.values()),
        "ours only": sum(mine >= 0 > other for mine, other in pairs),
        "theirs only": sum(other >= 0 > mine for mine, other in pairs),
        "same": int(table[linear_sum_assignment(-table)].sum()),
    }


def beside_supervision(name: str, clips: List[List[Frame]]) -> List[Any]:
    """A row of the third table."""
    import supervision as sv

    sums: Counter[str] = Counter()
    for clip in clips:
        width, height = clip[0].found.image_wh or (1000, 1000)
        middle, corners = width // 2, [(0, 0), (width // 2, 0), (width // 2, height), (0, height)]
        options = TrackOptions(
            SURE,
            LOW,
            IOU,
            min_hits=HITS,
            lines=(Line("m", ((middle, height), (middle, 0))),),
            zones=(Zone("z", corners),),
        )
        tracker, line = Tracker(options), sv.LineZone(sv.Point(middle, height), sv.Point(middle, 0))
        zone = sv.PolygonZone(np.array(corners))
        for frame in clip:
            tracked = tracker.update(frame.found, frame.time_s)
            theirs = tracked.to_supervision()
            line.trigger(theirs)
            within = set(theirs.tracker_id[zone.trigger(theirs) & (theirs.tracker_id > 0)].tolist())
            mine = {number for number, _ in tracker.places.zones[0].inside}
            sums.update(ours=len(mine), theirs=len(within), one=len(mine ^ within))
        state = tracker.places.lines[0]
        sums.update(crossed=state.in_count + state.out_count, crossed_theirs=line.in_count + line.out_count)
    return [name, *(sums[key] for key in ("crossed", "crossed_theirs", "ours", "theirs", "one"))]


def against_truth(name: str, clips: List[List[Frame]]) -> List[Any]:
    """A row of the second table."""
    objects = sum(len({each for frame in clip for each in frame.objects or ()}) for clip in clips)
    ours, strict = (sum(changes(clip, our_ids(clip, by_class)) for clip in clips) for by_class in (False, True))
    return [name, objects, ours, strict, sum(changes(clip, their_ids(clip)) for clip in clips)]


def changes(clip: List[Frame], ids: Ids) -> int:
    last: Dict[int, int] = {}
    count = 0
    for frame, numbers in zip(clip, ids):
        for each, number in zip(frame.objects or (), numbers):
            if number >= 0:
                count += last.get(each, number) != number
                last[each] = number
    return count


if __name__ == "__main__":
    sys.exit(main())
