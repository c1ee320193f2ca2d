"""Runs a recording again, frame by frame, and compares each stage with what was recorded."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit.likeness import decibels, powers, sameness
from edge_runtime.blackbox.decoding import OutputDecoder
from edge_runtime.blackbox.hashing import TensorHash, hash_pixels
from edge_runtime.blackbox.parting import Comparison
from edge_runtime.blackbox.pictures import Pictures
from edge_runtime.blackbox.recorded import RecordedFrame
from edge_runtime.blackbox.recording import Recording
from edge_runtime.detect import results
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SpecError
from edge_runtime.loop.rules import Rules
from edge_runtime.sinks import jsonl
from edge_runtime.track.tracker import SourceTrackers
from edge_runtime.types import Detections, Frame, Result
from edge_runtime.types.pixels import Pixels

Rows = NDArray[np.float32]
PLACES = ("lines", "zones")


class Replay:
    """Replays a recording with engines.

    Args:
        recording: what is replayed.
        detectors: for each recorded engine, in order. Nobody else uses them meanwhile.

    Attributes:
        recording: see above.
        found: where it is equal to the recording, so far.
    """

    def __init__(self, recording: Recording, detectors: Sequence[Detector]) -> None:
        self.recording = recording
        self._detectors = detectors
        self._pictures, self._tensor, self.found = Pictures(recording), TensorHash(), Comparison()
        self._decoders = [OutputDecoder(detector) for detector in detectors]
        self._rules: Dict[Tuple[int, int], Rules] = {}
        self._ours, self._theirs = _Tracking(), _Tracking()

    def run(self, tick: Callable[[], None] = lambda: None) -> Iterator[Dict[str, Any]]:
        """Yields the result of each frame as JSON lines have it. The times in it are those of the recording.

        Args:
            tick: called for each frame.

        Raises:
            SourceError: the recording is damaged.
            ModelError, SpecError: an engine does not fit.
        """
        frames = self.recording.frames
        for _, numbers in groupby(range(len(frames)), lambda number: (frames[number].engine, frames[number].run)):
            for group in self._batches(list(numbers)):
                pictures = [self._pictures.of(number) for number in group]
                boxes = self._infer(group, pictures)
                for number, picture in zip(group, pictures):
                    yield self._result(number, picture, boxes.get(number))
                    tick()

    def _batches(self, group: List[int]) -> Iterator[List[int]]:
        """Parts of a run. The first one has all that were inferred. A closed motion gate lets many repeats follow."""
        size = self._detectors[self.recording.frames[group[0]].engine].backend.batch
        return (group[at : at + size] for at in range(0, len(group), size))

    def _infer(self, group: List[int], pictures: List[Optional[Pixels]]) -> Dict[int, Rows]:
        """Boxes of the frames of one batch that were inferred and whose picture is there, by number."""
        gated = [bool(self.recording.results[number].get("gated")) for number in group]
        given = [(n, p) for n, p, repeats in zip(group, pictures, gated) if p is not None and not repeats]
        if not given:
            return {}
        detector, found = self._detectors[self.recording.frames[group[0]].engine], {}
        detector.backend.enqueue(0, [picture for _, picture in given])
        rows, counts = detector.backend.wait(0)
        outputs = detector.backend.outputs(0)
        for place, (number, picture) in enumerate(given):
            image_wh = (picture.width, picture.height)
            found[number] = results.checked(rows[place, : counts[place]], detector.model, image_wh).copy()
            self._compare_network(number, found[number], [output[place] for output in outputs], picture)
        return found

    def _compare_network(self, number: int, boxes: Rows, outputs: List[Rows], picture: Pixels) -> None:
        frame, row = self.recording.frames[number], self.recording.results[number]
        recorded = self.recording.outputs(number)
        same = np.array_equal(boxes, frame.found)
        figure = "" if same else f"{100 * sameness([frame.found], [boxes]):.2f} % of the boxes"
        if recorded is not None:
            same = same and _equal(recorded, outputs)
            if not same:
                figure = ", ".join(filter(None, [figure, f"outputs {_decibels(recorded, outputs)}"]))
            try:
                again = self._decoders[frame.engine](recorded, picture)
            except SpecError as error:
                self.found.stages["decoding"].take(False, number, row, str(error))
            else:
                agree = 100 * sameness([frame.found], [again])
                self.found.stages["decoding"].take(
                    np.array_equal(again, frame.found), number, row, f"{agree:.2f} % of the boxes"
                )
        self.found.stages["network"].take(same, number, row, figure)

    def _result(self, number: int, picture: Optional[Pixels], boxes: Optional[Rows]) -> Dict[str, Any]:
        frame, row = self.recording.frames[number], self.recording.results[number]
        self.found.frames += 1
        if picture is not None:
            self.found.pictures += 1
            self._compare_picture(number, picture)
        rules = self._rules_of(frame.engine, frame.settings)
        shown = picture or Pixels(planes=(), **frame.picture)
        about = Frame(None, row["source"], row["frame"], row["timestamp_s"], row.get("path"), shown)
        labels, gated = self._detectors[frame.engine].model.spec.labels, bool(row.get("gated"))
        theirs = self._theirs.result(about, frame.found, False, rules, frame, labels)
        again = self._line(theirs, row)
        tracked = again["detections"] == row["detections"] and all(again.get(k) == row.get(k) for k in PLACES)
        self.found.stages["tracking"].take(tracked, number, row, _ids(row, again))
        ours = self._ours.result(about, frame.found if boxes is None else boxes, gated, rules, frame, labels)
        line = self._line(ours, row)
        self.found.stages["result"].take(json.dumps(line) == json.dumps(row), number, row, _ids(row, line))
        return line

    def _compare_picture(self, number: int, picture: Pixels) -> None:
        frame, row = self.recording.frames[number], self.recording.results[number]
        if frame.pixels:
            found = hash_pixels(picture)
            self.found.stages["picture"].take(found == frame.pixels, number, row, f"{frame.pixels[:8]} {found[:8]}")
        if frame.tensor:
            found = self._tensor(picture, self.recording.engines[frame.engine].spec)
            self.found.stages["tensor"].take(found == frame.tensor, number, row, f"{frame.tensor[:8]} {found[:8]}")

    def _rules_of(self, engine: int, settings: int) -> Rules:
        key = engine, settings
        if key not in self._rules:
            self._rules[key] = Rules(self.recording.settings[settings], self._detectors[engine], None)
        return self._rules[key]

    def _line(self, result: Result, row: Dict[str, Any]) -> Dict[str, Any]:
        """The result as JSON lines have it, with the times of the recording, which no other machine has."""
        line = jsonl.row(result)
        return {key: row.get(key) if key in ("latency_ms", "stage_ms", "gated") else line.get(key, row.get(key))
                for key in dict.fromkeys([*row, *line])}  # fmt: skip


class _Tracking:
    """From boxes to results, for all streams: rules, repeats of the motion gate, tracking."""

    def __init__(self) -> None:
        self._trackers = SourceTrackers()
        self._last: Dict[str, Detections] = {}
        self._begun: Set[str] = set()

    def result(
        self,
        frame: Frame,
        boxes: Rows,
        gated: bool,
        rules: Rules,
        kept: RecordedFrame,
        labels: Sequence[str],
    ) -> Result:
        """The result for the boxes (n, 6) of a frame. `gated` repeats those of the last frame that was inferred."""
        last = self._last.get(frame.source) if gated else None
        found = Detections.from_rows(boxes, labels) if last is None else last[:]
        found.source, found.path, found.image_wh = frame.source, frame.path, frame.image_wh
        found, places = rules.keep(found), None
        if rules.track is not None:
            if frame.source not in self._begun and kept.tracks is not None:
                self._trackers.restore(frame.source, kept.tracks, rules.track, kept.source)
            self._begun.add(frame.source)
            least = rules.least(found)
            found, places = self._trackers.update(found, frame, kept.restarts, rules.track, least, kept.source)
        if not gated:
            ids = found.tracker_id
            self._last[frame.source] = found if ids is None else found[np.flatnonzero(ids > 0)]
        return Result(frame, found, {}, 0.0, places, gated)


def _equal(first: Sequence[Rows], second: Sequence[Rows]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def _decibels(first: Sequence[Rows], second: Sequence[Rows]) -> str:
    """How near the outputs are: the signal over the difference, of the worst output."""
    if [array.shape for array in first] != [array.shape for array in second]:
        return "of other shapes"
    return f"{min(decibels(*powers(a, b)) for a, b in zip(first, second)):.1f} dB"


def _ids(row: Dict[str, Any], line: Dict[str, Any]) -> str:
    """What differs between two lines, in a few words."""
    first, second = row["detections"], line["detections"]
    if len(first) != len(second):
        return f"{len(first)} boxes, then {len(second)}"
    ids = sum(a.get("tracker_id") != b.get("tracker_id") for a, b in zip(first, second))
    return f"{sum(a != b for a, b in zip(first, second))} of {len(first)} boxes differ, {ids} of them in the id"
