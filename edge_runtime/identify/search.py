"""Identifies a model: which family reads its outputs, and how pictures must be prepared for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Callable, List, Optional, Sequence, Tuple

from edge_runtime import plugins
from edge_runtime.datasets import Dataset
from edge_runtime.detect import finite, understand
from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.detect.understand import Model
from edge_runtime.errors import ModelError, SourceError
from edge_runtime.identify import certainty
from edge_runtime.identify.agreement import Agreement
from edge_runtime.identify.candidates import STATED, Candidate, candidates, read_model, resizes
from edge_runtime.identify.certainty import Drawn, Rival
from edge_runtime.identify.contest import Contest, Entry, Judge, Round, ranked
from edge_runtime.identify.labelled import Labelled
from edge_runtime.identify.network import Image, Network
from edge_runtime.imaging import image_file
from edge_runtime.model import names
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelSpec
from edge_runtime.sources.demo import PHOTOS

BUDGET_S, MOST = 60.0, 32
BY_FILE = "its metadata"  # the judge where no picture says anything
BY_BOTH = "its metadata and your flags"
FEWEST = 6  # pictures, to say how sure it is
ROUNDS = (
    Round(1, share=0.1, most=10, time=0.2),
    Round(3, share=0.3, most=7, time=0.3),
    Round(6, share=0.5, most=4, time=0.45, resizes=True),
    Round(12, share=0.7, most=5, time=0.65, resizes=True),
    Round(20, share=0.85, most=4, time=0.8, resizes=True),
    Round(MOST, share=0.0, most=99, time=0.9, resizes=True),
)
LAST = Round(MOST, share=0.0, most=99, time=0.8)
Tick = Callable[[float, str], None]


@dataclass(frozen=True)
class Pictures:
    """What a model is tried on.

    Attributes:
        name: for people.
        paths, images: files, and the same read, (H, W, 3) uint8 BGR.
        data: their labels; None if there are none.
        notes: what could not be read.
    """

    name: str
    paths: Tuple[str, ...]
    images: Tuple[Image, ...]
    data: Optional[Dataset] = None
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Identified:
    """What was found.

    Attributes:
        judge: "AP" or "agreement"; BY_FILE or BY_BOTH if no picture says anything, and the file is believed.
        winner: the chosen entry.
        order: all that were compared to the end, best first, with their scores.
        dropped: those that were given up earlier, with theirs.
        rivals: how often the winner is ahead of other values, in samples of the pictures.
        seen: number of pictures that all in `order` have seen.
        cut: whether the time limit ended the comparison.
        doubt: what was seen instead, if the file is believed.
    """

    judge: str
    winner: Entry
    order: Tuple[Tuple[Entry, float], ...]
    dropped: Tuple[Tuple[Entry, float], ...]
    rivals: Tuple[Rival, ...]
    pictures: Pictures
    seen: int
    runs: int
    seconds: float
    cut: bool
    doubt: str = ""

    @property
    def model(self) -> Model:
        """The file as the winner reads it."""
        return self.winner.candidate.model

    @property
    def score(self) -> float:
        """The winner's score."""
        return next(score for entry, score in self.order if entry is self.winner)


def identify(
    path: str,
    flags: ModelFlags,
    pictures: Pictures,
    budget_s: float = BUDGET_S,
    threads: int = 0,
    tick: Tick = lambda done, phase: None,
) -> Identified:
    """Tries the usual combinations on pictures and chooses one.

    Args:
        path: an ONNX file.
        flags: what the user says; it is not tried.
        budget_s: seconds after which no further picture is begun.
        threads: of the network; 0 for all cores.

    Raises:
        ModelError: the file is no detector that this program can read, or no combination finds anything and the file
            does not say itself what it is.
        BackendUnavailable: ONNX Runtime is missing.
    """
    member = plugins.load_member("backends", "onnxruntime")
    model = read_model(path, member.read_io, flags)
    named = bool(flags.labels or names.from_metadata(model.io.metadata)[0])
    judge: Judge = Labelled(pictures.data) if pictures.data else Agreement()
    entered = candidates(model, flags, named, pictures.data.labels if pictures.data else ())
    network = Network(path, model.io, threads)
    contest = Contest(network, judge, pictures.images, entered, budget_s)
    others = partial(resizes, flags=flags)
    contest.hold(
        [replace(each, time=each.time * judge.time) for each in ROUNDS], others, partial(certainty.decided, judge), tick
    )
    if network.runs and network.bad == network.runs:
        raise ModelError(f"the outputs of {path} are never finite (NaN or infinite)", hint=finite.DAMAGE)
    if all(contest.score(entry) <= 0 for entry in contest.entries):
        nothing = _nothing(path, contest, pictures, flags)
        stated = understand.describe(path, member.read_io, flags)
        by = BY_BOTH if flags.said() else BY_FILE
        return _as_stated(by, stated, nothing, contest, pictures, network.runs)
    return _result(contest, judge, pictures, network)


def _as_stated(
    by: str, stated: Model, nothing: ModelError, contest: Contest, pictures: Pictures, runs: int
) -> Identified:
    """The file as its own metadata say, which every other command believes, too.

    Raises:
        ModelError: `nothing`: it has none, or the user names another family.
    """
    said = stated.io.metadata.get(METADATA_KEY)
    if said is None or ModelSpec.from_json(said).family != stated.spec.family:
        raise nothing
    own = Entry(Candidate(stated, STATED), OutputReader(stated))
    odd = _impossible(contest)
    doubt = f"its outputs look untrained or damaged: {odd[0]}" if odd else f"{nothing}; {nothing.hint}"
    seen = len(contest.entries[0].weighed) if contest.entries else 1
    return Identified(
        by, own, ((own, 0.0),), (), (), pictures, seen, runs, contest.elapsed_s, contest.cut, doubt
    )  # fmt: skip


def _result(contest: Contest, judge: Judge, pictures: Pictures, network: Network) -> Identified:
    order = ranked(contest.entries, contest.score)
    entries = [entry for entry, score in order if score > 0]
    drawn = certainty.samples(judge, entries)
    drawn = _seconded(contest, judge, entries, drawn)
    winner = certainty.choose(sorted(entries, key=lambda entry: -float(drawn[id(entry)].mean())), drawn)
    dropped = ranked([entry for entry in contest.dropped if entry.against is None], contest.score)
    doubted = drawn if pictures.data else certainty.samples(judge, entries, certainty.CAUTIOUS)
    rivals = certainty.rivals(winner, entries, doubted)
    seen = len(winner.weighed)
    return Identified(
        judge.name, winner, tuple(order), tuple(dropped), tuple(rivals), pictures, seen, network.runs,
        contest.elapsed_s, contest.cut,
    )  # fmt: skip


def _seconded(contest: Contest, judge: Judge, entries: Sequence[Entry], drawn: Drawn) -> Drawn:
    """Samples of AP times agreement, for the entries that AP does not tell apart; few pictures say little of AP."""
    near = certainty.near(entries, drawn)
    if judge.name == Agreement.name or len(near) < 2:
        return drawn
    second = Agreement()
    looked = contest.again(second, near, LAST)
    if len(looked[0].weighed) < min(FEWEST, len(contest.entries[0].weighed)):
        return drawn
    weights = certainty.samples(second, looked)
    product = {id(one): drawn[id(one)] * weights[id(other)] for one, other in zip(near, looked)}
    least = min(float(values.mean()) for values in weights.values())  # what AP tells apart stays behind
    return {**{key: values * least for key, values in drawn.items()}, **product}


def _impossible(contest: Contest) -> List[str]:
    """Why the outputs are impossible, if they are for all candidates."""
    return [] if contest.entries else sorted({entry.against for entry in contest.dropped if entry.against})


def _nothing(path: str, contest: Contest, pictures: Pictures, flags: ModelFlags) -> ModelError:
    """The error where no combination finds anything."""
    impossible = _impossible(contest)
    if impossible:
        what = f"the family {flags.family}" if flags.family else "every family that fits their shapes"
        other = "of another family: leave --family out" if flags.family else "of an unknown family"
        fact = f"the outputs of {path} contradict {what}: {'; '.join(impossible[:3])}"
        return ModelError(fact, hint=f"it may be untrained or damaged, no detector, or {other}")
    what = f"{len(pictures.images)} pictures of {pictures.name}"
    hint = "give pictures with objects that the model knows, --images DIR, or --labels with its class names"
    return ModelError(f"no combination finds confident boxes in {what}", hint=hint)


def unlabelled(paths: Sequence[str], name: str, most: int = MOST) -> Pictures:
    """Reads the photographs that come along, and pictures of the user: at most `most`, evenly over their order."""
    chosen = _even(paths, most)
    photos = [str(photo) for photo in sorted(PHOTOS.glob("*.jpg"))]
    read, notes = _read([*photos, *chosen])
    name = name or "the photographs that come along"
    return Pictures(name, tuple(path for path, _ in read), tuple(image for _, image in read), None, tuple(notes))


def labelled(data: Dataset, most: int = MOST) -> Pictures:
    """Reads labelled pictures, at most `most`, evenly over their order.

    Raises:
        SourceError: none of them can be read.
    """
    chosen = _even(range(len(data.paths)), most)
    read, notes = _read([data.paths[number] for number in chosen])
    if not read:
        raise SourceError(f"no picture of {data.name} can be read", hint=notes[0] if notes else None)
    there = {path for path, _ in read}
    kept = [number for number in chosen if data.paths[number] in there]
    part = replace(data, paths=tuple(data.paths[k] for k in kept), truths=tuple(data.truths[k] for k in kept))
    return Pictures(data.name, part.paths, tuple(image for _, image in read), part, tuple(notes))


def _even(items: Sequence, most: int) -> List:  # type: ignore[type-arg]
    if len(items) <= most:
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]


def _read(paths: Sequence[str]) -> Tuple[List[Tuple[str, Image]], List[str]]:
    read, notes = [], []
    for path in paths:
        try:
            read.append((path, image_file.read_image(path)))
        except ValueError as error:
            notes.append(f"{path} {error}: not used")
    return read, notes
