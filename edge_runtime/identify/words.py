"""Says what was found in sentences and rows, for the terminal, JSON and the page."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from edge_runtime.identify import labelled
from edge_runtime.identify.candidates import DIMENSIONS, Candidate
from edge_runtime.identify.certainty import SURE, Rival
from edge_runtime.identify.contest import Entry
from edge_runtime.identify.search import BY_BOTH, BY_FILE, FEWEST, Identified

COLUMNS = ("rank", "family", "resize", "color", "mean", "std", "labels", "score", "boxes")
NAMES = {"color": "channel order", "scale": "scale", "family": "family", "resize": "resize", "labels": "class names"}


def rows(found: Identified) -> List[Tuple[str, ...]]:
    """A row of text per combination that was compared to the end, best first; `*` marks the one that is chosen."""
    listed: List[Tuple[str, ...]] = []
    for rank, (entry, score) in enumerate(found.order, 1):
        said, spec = entry.candidate.values, entry.candidate.spec
        mark = f"{rank}*" if entry is found.winner else str(rank)
        listed.append((mark, said["family"], said["resize"], said["color"], triple(spec.mean), triple(spec.std),
                       said["labels"] or "as stated", f"{score:.3f}", str(entry.boxes)))  # fmt: skip
    return listed


def summary(found: Identified) -> Dict[str, Any]:
    """Everything as plain data for JSON."""
    return {
        "judge": found.judge,
        "chosen": _plain(found.winner, found.score),
        "ranking": [_plain(entry, score) for entry, score in found.order],
        "given_up": [_plain(entry, score) for entry, score in found.dropped],
        "reason": reason(found),
        "sure": sure(found),
        "rivals": [{"dimension": each.dimension, "value": each.value, "ahead": each.ahead} for each in found.rivals],
        "pictures": found.seen,
        "runs": found.runs,
        "seconds": found.seconds,
        "cut": found.cut,
    }


def reason(found: Identified) -> str:
    """Why the winner won, in one sentence."""
    best, score = found.order[0]
    own = found.winner.candidate
    if found.judge in (BY_FILE, BY_BOTH):
        return f"{describe(own)}: {found.judge} say so, and no picture confirms it: {found.doubt}"
    said = f"{describe(own)}: {found.judge} {found.score:.3f} over {found.seen} pictures"
    by_ap = found.judge == labelled.NAME
    if best is not found.winner:
        decides = "boxes that move with the picture, and what is usual, decide" if by_ap else "the usual one is taken"
        return f"{said}; {describe(best.candidate, own)} has {score:.3f}, which may be chance: {decides}"
    why = "the best AP" if by_ap else "the most confidence in boxes that move with the picture"
    if len(found.order) == 1:
        return f"{said}, {why}; nothing else comes near"
    second, other = found.order[1]
    return f"{said}, {why}; next is {describe(second.candidate, own)} with {other:.3f}"


def sure(found: Identified) -> str:
    """How sure the choice is, in one sentence."""
    if found.judge in (BY_FILE, BY_BOTH):
        return "not sure: the file is believed; no picture says anything"
    open_ = [each for each in found.rivals if not each.told_apart]
    if found.seen < FEWEST:
        said = f": {'; '.join(_doubt(found, each) for each in open_)}" if open_ else ""
        return f"not sure: {found.seen} pictures are few{said}"
    if not open_:
        return f"sure: in {SURE:.0%} or more of the random samples of the pictures nothing else is better"
    doubts = [_doubt(found, each) for each in open_]
    decided = [NAMES[name] for name in DIMENSIONS[:-1] if name not in {each.dimension for each in open_}]
    head = f"sure of the {_and(decided)}; " if decided else ""
    return f"{head}not told apart from chance: {'; '.join(doubts)}"


def describe(candidate: Candidate, beside: Optional[Candidate] = None) -> str:
    """A combination in words; beside another, only where they differ."""
    said = candidate.values
    other = beside.values if beside else {}
    return ", ".join(said[name] for name in DIMENSIONS if said[name] and said[name] != other.get(name))


def triple(values: Tuple[float, ...]) -> str:
    """Three numbers as the flags take them; one, if all are the same."""
    shown = [f"{value:g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else ",".join(shown)


def _doubt(found: Identified, rival: Rival) -> str:
    own = found.winner.candidate.values[rival.dimension]
    return f"{own} and {rival.value} (ahead in {rival.ahead:.0%} of the samples)"


def _and(words: List[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _plain(entry: Entry, score: float) -> Dict[str, Any]:
    spec, said = entry.candidate.spec, entry.candidate.values
    return {
        "family": spec.family, "head_layout": list(spec.head_layout), "resize": spec.resize, "color": spec.color,
        "mean": list(spec.mean), "std": list(spec.std), "scale": said["scale"], "labels": said["labels"],
        "score": score, "boxes": entry.boxes, "pictures": len(entry.weighed),
    }  # fmt: skip
