"""Lets candidates compete: all of them on a few pictures, the best of them on more, within a time limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detect import contradictions
from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.identify.candidates import Candidate
from edge_runtime.identify.network import Floats, Image, Key, Network, frame_of, input_key
from edge_runtime.identify.views import View
from edge_runtime.model.thresholds import Thresholds

Resizes = Callable[[Candidate], List[Candidate]]
Tick = Callable[[float, str], None]


class Judge(Protocol):
    """Says how good a candidate is, see `agreement` and `labelled`."""

    name: str
    thresholds: Thresholds
    settles: float  # part of the best score at which a more usual family is taken
    time: float  # part of the time limit that it may use

    def views(self, picture: int, image: Image) -> List[View]:
        """The copies of a picture that every candidate is run on, the picture itself first."""

    def weigh(self, picture: int, candidate: Candidate, seen: Sequence[View], found: Sequence[Floats]) -> Any:
        """What one picture says about a candidate.

        Args:
            found: for each copy, boxes (n, 6) in its pixels.
        """

    def score(self, candidate: Candidate, weighed: Sequence[Any]) -> float:
        """The score over pictures; 0 if nothing is found."""

    def resampled(self, candidate: Candidate, weighed: Sequence[Any], draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scores (samples,) of random samples of the pictures; `draws` (samples, n) are their numbers."""


@dataclass(frozen=True)
class Round:
    """A part of the contest.

    Attributes:
        pictures: how many pictures were looked at when it ends.
        share: part of the best score that a candidate needs to go on.
        most: number of candidates that go on.
        time: part of the time limit at which it ends.
        resizes: whether the other resizes of the best, and its resize for the others, join after it.
    """

    pictures: int
    share: float
    most: int
    time: float
    resizes: bool = False


@dataclass(eq=False)
class Entry:
    """A candidate and what was seen of it.

    Attributes:
        weighed: per picture, what the judge made of it.
        rows: per picture, boxes (n, 6) `[x1, y1, x2, y2, score, class_id]`, image pixels, above the usual confidence.
        against: why its outputs are impossible; None if they are not.
    """

    candidate: Candidate
    reader: OutputReader
    weighed: List[Any] = field(default_factory=list)
    rows: List[Floats] = field(default_factory=list)
    against: Optional[str] = None

    @property
    def boxes(self) -> int:
        """Number of boxes above the usual confidence in all pictures."""
        return sum(map(len, self.rows))


Decided = Callable[[Sequence[Entry]], bool]


class Contest:
    """The candidates of one network.

    Args:
        images: each (H, W, 3) uint8 BGR.
        limit_s: seconds after which no further picture is begun.

    Attributes:
        entries: those that were not dropped; all have seen the same pictures.
        dropped: those that were, with the number of pictures that they have seen.
        cut: whether the time limit ended it.
    """

    def __init__(
        self, network: Network, judge: Judge, images: Sequence[Image], entered: Sequence[Candidate], limit_s: float
    ) -> None:
        self._network, self._judge, self._images = network, judge, images
        self._began, self._limit_s = monotonic(), limit_s
        self._runs: Dict[Key, List[Floats]] = {}
        self.entries = [Entry(candidate, OutputReader(candidate.model)) for candidate in entered]
        self.dropped: List[Entry] = []
        self.cut, self._seen = False, 0

    def hold(self, rounds: Sequence[Round], resizes: Resizes, decided: Decided, tick: Tick) -> None:
        """Runs all rounds.

        Args:
            resizes: the other resizes of a candidate.
            decided: whether more pictures would change nothing; asked after the rounds that follow the resizes.
            tick: is told the part that is done, 0 to 1, and what is being done.
        """
        joined = False
        for each in rounds:
            if joined and decided(self.entries):
                return
            self._run(each, tick)
            self._drop(each)
            if each.resizes:
                self._join(resizes)
                joined = True
        self.cut = self.cut or self._seen < min(rounds[-1].pictures, len(self._images))

    def _run(self, each: Round, tick: Tick) -> None:
        """Looks at the pictures of a round, at one of all at least."""
        while self._seen < min(each.pictures, len(self._images)) and (not self._seen or self._in_time(each.time)):
            about = f"{len(self.entries)} combinations, picture {self._seen + 1}"
            tick(min(1.0, self.elapsed_s / max(self._limit_s, 1e-9)), about)
            self._look(self.entries, self._seen)
            self._seen += 1

    def again(self, judge: Judge, entries: Sequence[Entry], each: Round) -> List[Entry]:
        """Lets another judge look at some entries, in the time that is left. Returns new ones in the same order."""
        left = max(0.0, self._limit_s - self.elapsed_s)
        other = Contest(self._network, judge, self._images, [entry.candidate for entry in entries], left)
        other._run(each, lambda done, phase: None)
        return other.entries

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return monotonic() - self._began

    def score(self, entry: Entry) -> float:
        """The judge's score of an entry."""
        return self._judge.score(entry.candidate, entry.weighed)

    def _in_time(self, part: float) -> bool:
        return self.elapsed_s < part * self._limit_s

    def _join(self, resizes: Resizes) -> None:
        """Adds the other resizes of the best, and its resize to all others: colours may change places with it.

        They look at all earlier pictures, so that all have seen the same.
        """
        if not self.entries:
            return
        best = ranked(self.entries, self.score)[0][0].candidate
        known = [entry.candidate.values for entry in (*self.entries, *self.dropped)]
        others = [*resizes(best), *(entry.candidate.resized(best.spec.resize) for entry in self.entries)]
        new = []
        for other in others:
            if other.values not in known:
                known.append(other.values)
                new.append(Entry(other, OutputReader(other.model)))
        for picture in range(self._seen):
            if picture and not self._in_time(1.0):
                self.cut = True
                return
            self._look(new, picture)
        self.entries += [entry for entry in new if entry.against is None]

    def _look(self, entries: Sequence[Entry], picture: int) -> None:
        """Runs entries on one picture. Those with equal inputs share a run."""
        self._runs.clear()
        seen = self._judge.views(picture, self._images[picture])
        for entry in entries:
            if picture == 0 and not entry.weighed:
                entry.against = contradictions.contradiction(entry.candidate.model, self._outputs(entry, seen, 0))
            if entry.against is None:
                found = [self._found(entry, seen, number) for number in range(len(seen))]
                entry.rows.append(found[0][found[0][:, 4] > Thresholds().conf])
                entry.weighed.append(self._judge.weigh(picture, entry.candidate, seen, found))
        self.dropped += [entry for entry in self.entries if entry.against is not None]
        self.entries = [entry for entry in self.entries if entry.against is None]

    def _found(self, entry: Entry, seen: Sequence[View], number: int) -> Floats:
        frame = frame_of(seen[number].image, entry.candidate.spec)
        return entry.reader.boxes(self._outputs(entry, seen, number), frame, self._judge.thresholds)

    def _outputs(self, entry: Entry, seen: Sequence[View], number: int) -> List[Floats]:
        key = (number, *input_key(seen[number].image, entry.candidate.spec))
        if key not in self._runs:
            self._runs[key] = self._network.run(seen[number].image, entry.candidate.spec)
        return self._runs[key]

    def _drop(self, each: Round) -> None:
        """Ends a round: the family is settled, then the best go on. If nothing was found, all do."""
        order = ranked(self.entries, self.score)
        best = order[0][1] if order else 0.0
        if best <= 0:
            return
        family = min(entry.candidate.reading for entry, score in order if score >= self._judge.settles * best)
        order = [pair for pair in order if pair[0].candidate.reading == family]
        kept = [entry for entry, score in order[: each.most] if score >= each.share * order[0][1]]
        self.dropped += [entry for entry in self.entries if entry not in kept]
        self.entries = kept


def ranked(entries: Sequence[Entry], score: Callable[[Entry], float]) -> List[Tuple[Entry, float]]:
    """Entries and scores, best first; of equal ones, the more usual first."""
    scored = [(entry, score(entry)) for entry in entries]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0].candidate.unusual))
