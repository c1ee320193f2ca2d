"""The stages from outputs to boxes: decoding, thresholds and NMS; and, where only boxes are known, all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Sequence, Tuple

from edge_runtime import plugins
from edge_runtime.audit import preparations, readings, suppression
from edge_runtime.audit.preparations import Preparation
from edge_runtime.audit.readings import Reading
from edge_runtime.audit.stages import DECODING, EQUAL, LAYERS, NMS, OPEN, PARTS, PIXELS, THRESHOLDS, Stage, Tried
from edge_runtime.audit.trials import BOXES, Bench, best

SAME = 0.03  # part of the boxes that other resize code and rounding explain
ALIKE = 0.97  # of the boxes that are kept
Tick = Callable[[], None]


@dataclass(frozen=True)
class Way:
    """From pictures to candidates, with what differs from the known way, by stage."""

    preparation: Preparation
    reading: Reading
    pixels: str = ""
    decoding: str = ""

    @property
    def words(self) -> str:
        """What differs."""
        return ", and ".join(filter(None, (self.pixels, self.decoding)))

    @property
    def stage(self) -> str:
        """The first stage that differs."""
        return PIXELS if self.pixels else DECODING


def explain(bench: Bench, tick: Tick) -> Tuple[List[Stage], Way, List[Tried]]:
    """Judges pixels, layers and decoding from boxes alone.

    Returns:
        The three stages, the way that gives the other side's candidates, and what was tried.
    """
    known = Way(bench.side.preparation, bench.side.reading)
    if not any(len(bench.rows(number)) for number in bench.numbers):
        return _silent(bench), known, []
    before = _left(bench, known, bench.numbers)
    if before <= SAME:
        return [Stage(name, EQUAL, _found(before)) for name in (PIXELS, LAYERS, DECODING)], known, []
    order = _search(bench, known, before, tick)
    tried = [Tried(way.stage, way.words, left) for way, left in order]
    way, left = order[0]
    if BOXES.met(before, left):
        return _explained(way, before, left), way, tried
    nearest = f"the nearest, {way.words}, gives {_found(left)}"
    if before <= BOXES.most:
        remark = f"small differences are left, as other resize code makes them; {nearest}"
        return [Stage(name, EQUAL, _found(before), remark) for name in (PIXELS, LAYERS, DECODING)], known, tried
    about = f"boxes that no other preparation or decoding explains, so that the network itself is left; {nearest}"
    open_ = "only boxes are known"
    return [Stage(PIXELS, OPEN, "", open_), Stage(LAYERS, PARTS, _found(before), about, False),
            Stage(DECODING, OPEN, "", open_)], known, tried  # fmt: skip


def _search(bench: Bench, known: Way, before: float, tick: Tick) -> List[Tuple[Way, float]]:
    """One thing that differs; two where one is not enough."""

    def left(way: Way, numbers: Sequence[int]) -> float:
        return _left(bench, way, numbers)

    numbers = list(bench.numbers)
    single = best([*_pixels(known), *_decodings(known)], left, numbers, tick)
    if BOXES.met(before, single[0][1]) and single[0][1] <= 2 * SAME:
        return single
    near = [way for way, _ in single if way.pixels][:2]
    double = best([way for each in near for way in (*_decodings(each), *_pixels(each))], left, numbers, tick)
    better = double[0][1] <= BOXES.part * single[0][1]
    return [double[0], *single] if better else single


def _pixels(way: Way) -> List[Way]:
    found = preparations.others(way.preparation)
    return [Way(each.preparation, way.reading, ", and ".join(filter(None, (way.pixels, each.words))), way.decoding)
            for each in found]  # fmt: skip


def _decodings(way: Way) -> List[Way]:
    read_io = plugins.load_member("backends", "onnxruntime").read_io
    return [Way(way.preparation, each, way.pixels, each.words) for each in readings.others(way.reading, read_io)]


def _left(bench: Bench, way: Way, numbers: Sequence[int]) -> float:
    return bench.box_left(way.preparation, way.reading, numbers)


def _silent(bench: Bench) -> List[Stage]:
    about = (
        "no box in any picture: outputs that are not finite, or a threshold above all scores; its outputs (.npz) tell"
    )
    return [Stage(PIXELS, OPEN, "", "it has no boxes"), Stage(LAYERS, PARTS, "0 boxes", about, False),
            Stage(DECODING, OPEN, "", "it has no boxes")]  # fmt: skip


def _explained(way: Way, before: float, left: float) -> List[Stage]:
    stages = []
    for name, words in ((PIXELS, way.pixels), (LAYERS, ""), (DECODING, way.decoding)):
        about = (
            f"{words}: with that {_found(left)} are explained, without it {100 * (1 - before):.0f} %" if words else ""
        )
        stages.append(Stage(name, PARTS if words else EQUAL, _found(before if words else left), about, not words))
    return stages


def decoding(bench: Bench, tick: Tick) -> Tuple[Stage, Way, List[Tried]]:
    """Judges the decoding, where the other side's outputs and boxes are known."""
    known = Way(bench.side.preparation, bench.side.reading)
    before = _left(bench, known, bench.numbers)
    if before <= SAME or not any(len(bench.rows(number)) for number in bench.numbers):
        return Stage(DECODING, EQUAL, _found(before) if before <= SAME else ""), known, []

    def left(way: Way, numbers: Sequence[int]) -> float:
        return _left(bench, way, numbers)

    order = best(_decodings(known), left, list(bench.numbers), tick)
    tried = [Tried(DECODING, way.words, rest) for way, rest in order]
    way, rest = order[0]
    if BOXES.met(before, rest):
        return _explained(way, before, rest)[2], way, tried
    about = f"boxes that no usual decoding of its outputs gives; the nearest, {way.words}, gives {_found(rest)}"
    return Stage(DECODING, PARTS, _found(before), about, False), known, tried


def selection(bench: Bench, way: Way) -> List[Stage]:
    """Judges thresholds and NMS, given the way to the other side's candidates."""
    candidates = {every: [suppression.Pool(bench.candidates(number, way.preparation, way.reading, every))
                          for number in bench.numbers] for every in (False, True)}  # fmt: skip
    theirs = [bench.rows(number) for number in bench.numbers]
    known = suppression.of_thresholds(bench.side.thresholds)
    if not any(map(len, theirs)):
        return [Stage(name, OPEN, "", "it has no boxes") for name in (THRESHOLDS, NMS)]
    before = suppression.select(candidates, *known, theirs)
    figure = f"{100 * before.alike:.0f} % of the boxes"
    if before.alike >= ALIKE:
        return [Stage(name, EQUAL, figure) for name in (THRESHOLDS, NMS)]
    found = suppression.best(candidates, known, theirs, bench.lowest)
    return [_selected(THRESHOLDS, found.cut.unlike(known[0]), figure, found.alike),
            _selected(NMS, found.nms.unlike(known[1]), figure, found.alike)]  # fmt: skip


def _selected(name: str, words: str, figure: str, alike: float) -> Stage:
    if not words:
        remark = "" if alike >= ALIKE else f"no other value gives more than {100 * alike:.0f} %"
        return Stage(name, EQUAL, f"{100 * alike:.0f} % of the boxes", remark)
    return Stage(name, PARTS, figure, f"{words}: with that {100 * alike:.0f} % of the boxes are the same", False)


def _found(left: float) -> str:
    return f"{100 * (1 - left):.0f} % of its boxes"
