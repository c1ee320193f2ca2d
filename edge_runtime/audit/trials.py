"""Tries preparations and readings on one network, and measures how far each is from what the other side has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit.likeness import Floats, covered, decibels, powers, tidy
from edge_runtime.audit.preparations import Image, Preparation
from edge_runtime.audit.readings import Reading
from edge_runtime.audit.recorded import Record
from edge_runtime.audit.sides import OnnxSide
from edge_runtime.detect.output_reader import OutputReader

LOW = 0.05  # boxes below this score are noise in every program, and are not compared
ROWS = 100  # boxes of a picture that are looked for among the candidates
KEPT = 48  # runs that are kept in memory
FEW, BEST = 3, 4  # pictures that all trials see, and number of trials that see all pictures
MUCH = 0.35
V = TypeVar("V")


@dataclass(frozen=True)
class Limits:
    """When a trial explains the other side: what it leaves over is small, and much less than before.

    Attributes:
        most: what may be left, 0..1.
        part: of what was left before.
        gain: a trial that explains so much more is right even if more than `most` is left; never beyond MUCH.
    """

    most: float
    part: float
    gain: float = 1.0

    def met(self, before: float, after: float) -> bool:
        """Whether the trial explains it."""
        small = after <= self.most and after <= self.part * before
        return small or (before - after >= self.gain and after <= MUCH)


INPUTS, OUTPUTS, BOXES = Limits(0.02, 0.25), Limits(0.1, 0.25), Limits(0.12, 0.4, 0.5)


class Bench:
    """A network, pictures, and what the other side made of them.

    Args:
        records: by picture; one of them may lack what another has.
    """

    def __init__(self, side: OnnxSide, images: Sequence[Image], records: Sequence[Record]) -> None:
        self.side, self.images, self.records = side, images, records
        self.numbers = range(len(images))
        self._runs: Dict[Tuple[int, Preparation], List[Floats]] = {}
        self._readers: Dict[str, OutputReader] = {}
        grey = np.full((*side.model.spec.input_wh[::-1], 3), side.model.spec.pad_value, np.uint8)
        self._still = side.run(side.preparation.tensor(grey))
        self.theirs = [aligned(side, self._still, record) for record in records]
        self._rows = [None if each.boxes is None else each.boxes[each.boxes[:, 4] >= LOW] for each in records]

    def outputs(self, number: int, preparation: Preparation) -> List[Floats]:
        """Outputs of the network for a picture by a preparation, each of any shape."""
        key = (number, preparation)
        if key not in self._runs:
            if len(self._runs) >= KEPT:
                self._runs.pop(next(iter(self._runs)))
            self._runs[key] = self.side.run(preparation.tensor(self.images[number]))
        return self._runs[key]

    def rows(self, number: int) -> Floats:
        """The other side's boxes (n, 6) of a picture above LOW, tidied."""
        rows = self._rows[number]
        image = self.images[number]
        return tidy(np.zeros((0, 6), np.float32) if rows is None else rows, (image.shape[1], image.shape[0]))

    @property
    def lowest(self) -> float:
        """The lowest score of all boxes of the other side; 1 if there are none."""
        scores = [each.boxes[:, 4].min() for each in self.records if each.boxes is not None and len(each.boxes)]
        return float(min(scores, default=1.0))

    def candidates(
        self, number: int, preparation: Preparation, reading: Reading, every: bool, low: Optional[float] = None
    ) -> Floats:
        """Boxes (n, 6) of a picture before NMS, see `Reading.candidates`."""
        outputs = self.outputs_read(number, preparation)
        placed = preparation.placed(self.images[number])
        if reading.words not in self._readers:
            self._readers[reading.words] = reading.reader()
        return reading.candidates(self._readers[reading.words], outputs, placed, low or self.low, every)

    def outputs_read(self, number: int, preparation: Preparation) -> List[Floats]:
        """What boxes are made of, any shape: the other side's outputs, if they are known, else the network's."""
        theirs = self.theirs[number]
        return theirs if theirs is not None else self.outputs(number, preparation)

    @property
    def low(self) -> float:
        """Candidates below this score are of no use."""
        return max(LOW, min(self.side.thresholds.conf, self.lowest)) * 0.99

    def input_left(self, preparation: Preparation, numbers: Sequence[int]) -> float:
        """The part of the input tensor that a preparation does not explain."""
        left = []
        for number in numbers:
            theirs = input_of(self.records[number])
            ours = preparation.tensor(self.images[number])
            if theirs is not None and theirs.shape == ours.shape:
                signal, noise = powers(theirs, ours, theirs.mean())
                left.append(min(noise / max(signal, 1e-12), 1.0) if np.isfinite(noise) else 1.0)
        return float(np.mean(left)) if left else 1.0

    def own_db(self) -> Optional[float]:
        """Signal to noise of the worst output, dB, with the other side's own inputs; None if it does not say them."""
        sums = np.zeros((len(self.side.model.read), 2))
        for record, theirs in zip(self.records, self.theirs):
            given = input_of(record)
            if given is None or theirs is None or given.shape != self.side.io.input_shape[1:]:
                return None
            ours = self.side.run(np.ascontiguousarray(given, np.float32))
            self._add(sums, ours, theirs)
        return min(decibels(*pair) for pair in sums)

    def output_left(self, preparation: Preparation, numbers: Sequence[int]) -> float:
        """The part of what pictures change in the outputs that a preparation does not explain."""
        sums = self.output_powers(preparation, numbers)
        return float(np.mean([min(noise / max(signal, 1e-12), 1.0) for signal, noise in sums])) if sums else 1.0

    def output_powers(self, preparation: Preparation, numbers: Sequence[int]) -> List[Tuple[float, float]]:
        """Signal and noise of each output that is read. Signal is what pictures change."""
        sums = np.zeros((len(self.side.model.read), 2))
        for number in numbers:
            theirs = self.theirs[number]
            if theirs is None:
                continue
            self._add(sums, self.outputs(number, preparation), theirs)
        return [(float(signal), float(noise)) for signal, noise in sums]

    def _add(self, sums: NDArray[np.float64], ours: List[Floats], theirs: List[Floats]) -> None:
        """Adds signal and noise of one picture to those of each output, (n, 2)."""
        for place, read in enumerate(self.side.model.read):
            fine = np.isfinite(theirs[read]) & np.isfinite(ours[read])
            if fine.any():
                sums[place] += powers(ours[read][fine], theirs[read][fine], self._still[read][fine])

    def output_db(self, preparation: Preparation) -> float:
        """Signal to noise of the worst output over all pictures, dB."""
        return min((decibels(*pair) for pair in self.output_powers(preparation, self.numbers)), default=0.0)

    def box_left(self, preparation: Preparation, reading: Reading, numbers: Sequence[int]) -> float:
        """The part of the other side's boxes that is not among the candidates of a preparation and a reading."""
        near = [self.near(number, preparation, reading) for number in numbers]
        together = np.concatenate(near) if near else np.zeros(0)
        return 1 - float(together.mean()) if len(together) else 1.0

    def near(self, number: int, preparation: Preparation, reading: Reading) -> NDArray[np.float64]:
        """For each of the surest boxes of the other side, how near the nearest candidate is, (n,) 0..1.

        Boxes outside of the picture, of which nothing is left, say nothing.
        """
        rows = self.rows(number)
        inside = (rows[:, 2:4] > rows[:, :2]).all(axis=1)
        return covered(rows[inside][:ROWS], self.candidates(number, preparation, reading, True))


def best(
    tried: Sequence[V], left: Callable[[V, Sequence[int]], float], numbers: Sequence[int], tick: Callable[[], None]
) -> List[Tuple[V, float]]:
    """Trials and what they leave over, the best first. All see a few pictures, the best few see all."""
    first = []
    for each in tried:
        first.append((each, left(each, numbers[:FEW])))
        tick()
    first.sort(key=lambda pair: pair[1])
    if len(numbers) <= FEW:
        return first
    return sorted(((each, left(each, numbers)) for each, _ in first[:BEST]), key=lambda pair: pair[1])


def input_of(record: Record) -> Optional[NDArray[Any]]:
    """A record's input as (3, H, W), also if it was (1, 3, H, W) or (H, W, 3); None if it has none."""
    if record.input is None:
        return None
    array = record.input[0] if record.input.ndim == 4 else record.input
    array = array.astype(np.float32, copy=False)  # sums of half floats overflow
    return np.moveaxis(array, -1, 0) if array.ndim == 3 and array.shape[0] != 3 and array.shape[-1] == 3 else array


def aligned(side: OnnxSide, ours: Sequence[Floats], record: Record) -> Optional[List[Floats]]:
    """A record's outputs in the order of the network's, by name or else by shape; None if one that is read is missing.

    Args:
        ours: outputs of the network, any shape.
    """
    found = [np.zeros_like(output) for output in ours]
    names, free = list(side.io.outputs), dict(record.outputs)
    for number in side.model.read:
        shape = ours[number].shape
        fitting = [name for name, array in free.items() if _shaped(array, shape) is not None]
        name = names[number] if names[number] in fitting else next(iter(fitting), None)
        array = None if name is None else _shaped(free.pop(name), shape)
        if array is None:
            return None
        found[number] = array
    return found


def _shaped(array: NDArray[Any], shape: Tuple[int, ...]) -> Optional[Floats]:
    """The array with this shape, without a first axis of one, and with its last two axes changed if only so it fits."""
    bare = array[0] if array.ndim == len(shape) + 1 and array.shape[0] == 1 else array
    if bare.shape == shape:
        return np.ascontiguousarray(bare, np.float32)
    if bare.ndim >= 2 and np.swapaxes(bare, -1, -2).shape == shape:
        return np.ascontiguousarray(np.swapaxes(bare, -1, -2), np.float32)
    return None
