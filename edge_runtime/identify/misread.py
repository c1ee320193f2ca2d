"""Whether a model seems misread: another usual preparation of the same labelled pictures finds clearly more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, List, Optional, Sequence

from edge_runtime.datasets import Dataset
from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.detect.understand import Model
from edge_runtime.identify import certainty
from edge_runtime.identify.candidates import Candidate, prepared, resizes
from edge_runtime.identify.contest import Entry, Judge
from edge_runtime.identify.labelled import Labelled
from edge_runtime.identify.network import Network, frame_of
from edge_runtime.identify.search import Pictures, labelled
from edge_runtime.model.recipe import ModelFlags

MOST, FIRST = 32, 4  # pictures: all, and those on which every preparation is tried
BEST = 4  # preparations that are tried on all pictures
NEAR = 0.9  # part of the best AP at which the preparation with the fewest changes is taken
PROMISING, CLEARLY = 1.1, 1.2  # times the AP
FEWEST = 10  # labelled objects
OWN = "as it is read"
Tick = Callable[[], None]


@dataclass(frozen=True)
class Suspicion:
    """A preparation that finds clearly more than the one in use.

    Attributes:
        own, other: AP of the two on the same pictures, 0..1.
        words: the other one, where it differs.
        pictures: number of pictures.
    """

    own: float
    other: float
    words: str
    pictures: int

    def __str__(self) -> str:
        return (f"the float model seems misread: it has an AP of {self.own:.3f} as it is read, and {self.other:.3f} "
                f"with {self.words}, on {self.pictures} labelled pictures")  # fmt: skip


def suspicion(
    path: str, model: Model, data: Dataset, threads: int = 0, tick: Tick = lambda: None
) -> Optional[Suspicion]:
    """Tries the other usual preparations on labelled pictures. None if no one finds clearly more.

    Args:
        path: the model's ONNX file.
        model: the file as it is read.
        data: labelled pictures.
        threads: of the network; 0 for all cores.
        tick: called after each run.

    Raises:
        BackendUnavailable: ONNX Runtime or pycocotools is missing.
        ModelError: ONNX Runtime cannot run the file.
        SourceError: none of the pictures can be read.
    """
    numbers = [number for number, truth in enumerate(data.truths) if not truth.ignored.all()]
    if sum(int((~data.truths[number].ignored).sum()) for number in numbers) < FEWEST:
        return None
    truths, paths = tuple(data.truths[k] for k in numbers), tuple(data.paths[k] for k in numbers)
    trial = _Trial(path, model, labelled(replace(data, paths=paths, truths=truths), MOST), threads, tick)
    return trial.suspicion()


class _Trial:
    """Preparations beside the one in use."""

    def __init__(self, path: str, model: Model, pictures: Pictures, threads: int, tick: Tick) -> None:
        assert pictures.data is not None
        self._network, self._pictures, self._tick = Network(path, model.io, threads), pictures, tick
        self._judge: Judge = Labelled(pictures.data)
        self._own = self._entry(Candidate(model, OWN))
        others = (Candidate(each, scale) for each, scale in prepared(model, ModelFlags()) if each.spec != model.spec)
        self._others = list(map(self._entry, others))

    def suspicion(self) -> Optional[Suspicion]:
        """The best other preparation, if it is clearly better."""
        first = range(min(FIRST, len(self._pictures.images)))
        best = self._best(self._others, first)
        more = resizes(best.candidate, ModelFlags()) + resizes(self._own.candidate, ModelFlags())
        order = sorted([*self._others, *map(self._entry, more)], key=lambda entry: -self._seen(entry, first))
        if self._score(order[0]) <= PROMISING * self._seen(self._own, first):
            return None
        everything = range(len(self._pictures.images))
        self._seen(self._own, everything)
        return self._judged(self._best(order[:BEST], everything))

    def _judged(self, best: Entry) -> Optional[Suspicion]:
        drawn = certainty.samples(self._judge, [self._own, best])
        surely = certainty.ahead(drawn[id(best)], CLEARLY * drawn[id(self._own)]) >= certainty.SURE
        if not surely:
            return None
        words = ", ".join(self._changes(best))
        return Suspicion(self._score(self._own), self._score(best), words, len(best.weighed))

    def _best(self, entries: Sequence[Entry], numbers: Sequence[int]) -> Entry:
        """The one with the highest AP; of those that are near it, the one with the fewest changes."""
        highest = max(self._seen(entry, numbers) for entry in entries)
        near = (entry for entry in entries if self._score(entry) >= NEAR * highest)
        return min(near, key=lambda entry: (len(self._changes(entry)), -self._score(entry)))

    def _changes(self, entry: Entry) -> List[str]:
        own = self._own.candidate.values
        return [f"{name} {value}" for name, value in entry.candidate.values.items() if value != own[name]]

    def _score(self, entry: Entry) -> float:
        return self._judge.score(entry.candidate, entry.weighed)

    def _entry(self, candidate: Candidate) -> Entry:
        return Entry(candidate, OutputReader(candidate.model))

    def _seen(self, entry: Entry, numbers: Sequence[int]) -> float:
        """Looks at those of the pictures that are new to an entry, and returns its AP."""
        for number in numbers[len(entry.weighed) :]:
            image = self._pictures.images[number]
            spec = entry.candidate.spec
            found = entry.reader.boxes(self._network.run(image, spec), frame_of(image, spec), self._judge.thresholds)
            seen = self._judge.views(number, image)
            entry.weighed.append(self._judge.weigh(number, entry.candidate, seen, [found]))
            self._tick()
        return self._score(entry)
