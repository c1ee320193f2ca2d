"""Runs an audit: decides which stages of two sides can be compared, and by what."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.audit import boxes, inside, layers, pixels, specs, suppression
from edge_runtime.audit.boxes import Way
from edge_runtime.audit.layers import Layers
from edge_runtime.audit.likeness import Floats, sameness
from edge_runtime.audit.preparations import Image, Preparation
from edge_runtime.audit.readings import Reading
from edge_runtime.audit.recorded import Record
from edge_runtime.audit.sides import EngineSide, OnnxSide, RecordedSide, Side, name_of
from edge_runtime.audit.stages import (
    DECODING,
    EQUAL,
    LAYERS,
    NMS,
    OPEN,
    PARTS,
    PIXELS,
    THRESHOLDS,
    Audit,
    Seen,
    Stage,
    Tried,
)
from edge_runtime.audit.trials import Bench, input_of
from edge_runtime.errors import UsageError

Tick = Callable[[], None]
Pictures = Sequence[Tuple[str, Image]]
ALIKE = 0.97


def audit(first: Side, second: Side, pictures: Pictures, tick: Tick = lambda: None) -> Audit:
    """Compares two sides on pictures.

    Raises:
        UsageError: none of the two is an ONNX file, or the other one has none of the pictures.
        ModelError: a network cannot be run.
    """
    base, other = (first, second) if isinstance(first, OnnxSide) else (second, first)
    if not isinstance(base, OnnxSide):
        raise UsageError(
            f"neither {first.path} nor {second.path} is an ONNX file",
            hint="give the ONNX file of the network as one of the two: deviations are tried with it",
        )
    seen, records, notes = _records(other, pictures)
    bench = Bench(base, [image for _, image in seen], records)
    work = _Work(base, other, bench, tick)
    stages = work.stages()
    names = name_of(first, second), name_of(second, first)
    shown = _pictures(work, seen, base is first)
    notes = [*notes, *base.model.notes]
    base_name, other_name = names if base is first else names[::-1]
    return Audit(names, base_name, other_name, tuple(stages), shown, work.layers, tuple(work.tried),
                 base.model.spec.labels, tuple(notes))  # fmt: skip


def _records(other: Side, pictures: Pictures) -> Tuple[List[Tuple[str, Image]], List[Record], List[str]]:
    found = [(path, image, other.record(path, image)) for path, image in pictures]
    kept = [(path, image, record) for path, image, record in found if record is not None]
    if kept and isinstance(other, RecordedSide) and other.only_found:
        empty = Record(boxes=np.zeros((0, 6), np.float32))
        kept = [(path, image, record or empty) for path, image, record in found]
    if not kept:
        hint = "names of pictures are those of its arrays or lines, with or without suffix"
        raise UsageError(f"{other.path} has none of the {len(found)} pictures", hint=hint)
    left = len(found) - len(kept)
    notes = [f"{left} of {len(found)} pictures are not in {other.path}"] if left else []
    return [each[:2] for each in kept], [record for _, _, record in kept], notes


class _Work:
    """One audit.

    Attributes:
        layers, tried: what was found beside the stages.
    """

    def __init__(self, base: OnnxSide, other: Side, bench: Bench, tick: Tick) -> None:
        self._base, self._other, self.bench, self._tick = base, other, bench, tick
        self.layers: Optional[Layers] = None
        self.tried: List[Tried] = []
        self.ours = [base.boxes(bench.outputs(k, base.preparation), image) for k, image in enumerate(bench.images)]
        self.theirs = [self._boxes(number) for number in bench.numbers]

    @property
    def alike(self) -> float:
        """How much of the boxes of both sides is the same."""
        return sameness(self.ours, self.theirs)

    def stages(self) -> List[Stage]:
        """The five stages."""
        outputs = all(theirs is not None for theirs in self.bench.theirs)
        stages, way = self._by_outputs() if outputs else self._by_boxes()
        return [*stages, *self._selection(way, stages, outputs)]

    def _boxes(self, number: int) -> Floats:
        """The other side's boxes; of outputs alone, as the base would read them."""
        record, theirs = self.bench.records[number], self.bench.theirs[number]
        if record.boxes is not None:
            return record.boxes
        if theirs is None:
            return self.ours[number][:0]
        return self._base.boxes(theirs, self.bench.images[number])

    def _by_boxes(self) -> Tuple[List[Stage], Way]:
        stages, way, tried = boxes.explain(self.bench, self._tick)
        self.tried += tried
        words = ""
        if isinstance(self._other, (OnnxSide, EngineSide)):
            words = specs.preparation(self._base.model.spec, self._other.model.spec)
        if words and self.alike < ALIKE:
            stages[0] = Stage(PIXELS, PARTS, stages[0].figure, words, False)
        return stages, way

    def _by_outputs(self) -> Tuple[List[Stage], Way]:
        if isinstance(self._other, OnnxSide):
            first, inner, preparation = self._by_files(self._other)
        else:
            first, preparation = self._pixels()
            lost = first.verdict == PARTS and preparation is self._base.preparation and self.bench.own_db() is None
            why = "the inputs differ, and nothing explains how"
            inner = Stage(LAYERS, OPEN, "", why) if lost else inside.by_outputs(self.bench, preparation)
        decode, way = self._decoding(Way(preparation, self._base.reading))
        return [first, inner, decode], way

    def _by_files(self, other: OnnxSide) -> Tuple[Stage, Stage, Preparation]:
        """Two ONNX files: the layers get equal inputs, so that each stage is judged by itself."""
        known, own = self._base.preparation, other.preparation
        words = specs.preparation(known.spec, own.spec)
        if words:
            first = self._said(words)
            if first.verdict == EQUAL:  # its graph makes up for it, so that each gets its own input
                return first, self._layers(self.bench, other, known, own), known
            if known.spec.input_wh != own.spec.input_wh:
                return first, Stage(LAYERS, OPEN, "", "the inputs have other sizes"), known
            return first, self._layers(self._crossed(other), other, known, known), known
        first, inner = Stage(PIXELS, EQUAL, "0 grey levels apart"), self._layers(self.bench, other, known, known)
        at_the_start = self.layers is not None and layers.at_the_start(self.layers)
        if inner.verdict == PARTS and at_the_start and not inside.not_finite(self.bench):
            named, explaining, tried = pixels.by_outputs(self.bench, self._tick)
            if named.verdict == PARTS:
                self.tried += tried
                return named, self._layers(self.bench, other, explaining, known), explaining
        return first, inner, known

    def _layers(self, bench: Bench, other: OnnxSide, ours: Preparation, theirs: Preparation) -> Stage:
        stage, self.layers = inside.by_graphs(bench, other, (ours, theirs), self.alike)
        return stage

    def _crossed(self, other: OnnxSide) -> Bench:
        """The other network on the inputs of the base."""
        tensors = [self._base.preparation.tensor(image) for image in self.bench.images]
        records = [other.record_of(tensor, image) for tensor, image in zip(tensors, self.bench.images)]
        return Bench(self._base, self.bench.images, records)

    def _pixels(self) -> Tuple[Stage, Preparation]:
        if all(input_of(record) is not None for record in self.bench.records):
            stage, preparation, tried = pixels.by_inputs(self.bench, self._tick)
            self.tried += tried
            if stage.verdict == PARTS:
                return stage, preparation
        if inside.not_finite(self.bench):
            why = "its outputs are not finite, and say nothing of its input"
            return Stage(PIXELS, OPEN, "", why), self._base.preparation
        stage, preparation, tried = pixels.by_outputs(self.bench, self._tick)
        self.tried += tried
        return stage, preparation

    def _said(self, words: str) -> Stage:
        """Two files that say different preparations: a fault only if the boxes differ."""
        figure = f"{100 * self.alike:.0f} % of the boxes"
        if self.alike >= ALIKE:
            remark = f"{words}, and gives the same boxes: its graph makes up for it"
            return Stage(PIXELS, EQUAL, figure, remark, False)
        return Stage(PIXELS, PARTS, figure, words, False)

    def _decoding(self, way: Way) -> Tuple[Stage, Way]:
        if isinstance(self._other, (OnnxSide, EngineSide)):
            return self._said_decoding(), way
        if any(record.boxes is None for record in self.bench.records):
            return Stage(DECODING, OPEN, "", "it has no boxes, only outputs"), way
        stage, found, tried = boxes.decoding(self.bench, self._tick)
        self.tried += tried
        return stage, Way(way.preparation, found.reading, "", found.decoding)

    def _said_decoding(self) -> Stage:
        assert isinstance(self._other, (OnnxSide, EngineSide))
        words = specs.decoding(self._base.model.spec, self._other.model.spec)
        if not words:
            return Stage(DECODING, EQUAL, "", "both are read in one way")
        theirs = [self._read(number) for number in self.bench.numbers]
        alike = sameness(self.ours, theirs)
        figure = f"{100 * alike:.0f} % of the boxes of equal outputs"
        if alike >= ALIKE:
            return Stage(DECODING, EQUAL, figure, f"it has {words}, and gives the same boxes")
        return Stage(DECODING, PARTS, figure, words, False)

    def _read(self, number: int) -> Floats:
        """The base's outputs as the other side reads them."""
        outputs = self.bench.outputs(number, self._base.preparation)
        assert isinstance(self._other, (OnnxSide, EngineSide))
        reading, placed = Reading(self._other.model), self._base.preparation.placed(self.bench.images[number])
        rows = reading.candidates(reading.reader(), outputs, placed, self._base.thresholds.conf, False)
        cut, nms = suppression.of_thresholds(self._base.thresholds)
        return cut.of(suppression.Pool(rows).left(nms))

    def _selection(self, way: Way, stages: Sequence[Stage], outputs: bool) -> List[Stage]:
        names = (THRESHOLDS, NMS)
        if outputs and isinstance(self._other, (OnnxSide, EngineSide)):
            return [Stage(name, EQUAL, "", "this program cuts both") for name in names]
        if any(record.boxes is None for record in self.bench.records):
            return [Stage(name, OPEN, "", "it has no boxes, only outputs") for name in names]
        unknown = any(stage.verdict == PARTS for stage in stages) and not outputs and not way.words
        if unknown or (outputs and stages[-1].verdict == PARTS and not way.words):
            return [Stage(name, OPEN, "", "it has other candidates already") for name in names]
        return boxes.selection(self.bench, way)


def _pictures(work: _Work, seen: Pictures, in_order: bool) -> Tuple[Seen, ...]:
    found = []
    for number, (path, image) in enumerate(seen):
        pair = (work.ours[number], work.theirs[number])
        left, right = pair if in_order else pair[::-1]
        found.append(Seen(path, image, left, right, sameness([left], [right])))
    return tuple(sorted(found, key=lambda each: each.alike))
