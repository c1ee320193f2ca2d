"""Says what an audit found, for the terminal, JSON and the page."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Tuple

from edge_runtime.audit.layers import Layer
from edge_runtime.audit.likeness import HIGHEST, LOWEST
from edge_runtime.audit.stages import EQUAL, OPEN, PARTS, Audit, Seen, Stage

COLUMNS = ("stage", "verdict", "figure", "")
PICTURES = ("picture", "same boxes", "boxes")
TENSORS = ("tensor", "operator", "own dB", "whole dB", "largest")
TRIED = ("stage", "what was tried", "explains")
TENSORS_SAID = (
    "Signal to noise. own: with equal inputs of the operator; whole: after all that came before it; largest: absolute "
    "value in the first file; *: the first that is worse than the precision explains."
)
WORST, NEAREST, AROUND = 5, 6, 3


def sentence(found: Audit) -> str:
    """The result in one sentence."""
    first = found.first
    one, two = found.names
    if first is None:
        seen = [stage.name for stage in found.stages if stage.verdict == EQUAL]
        return f"{one} and {two} are equal: {_and(seen)}, on {len(found.pictures)} pictures"
    return f"{one} and {two} part at the {first.name}: {said(found, first)}"


def said(found: Audit, stage: Stage) -> str:
    """What is said about a stage, with the name of the side that deviates."""
    return stage.about if stage.whole else f"{found.other} has {stage.about}"


def rows(found: Audit) -> List[Tuple[str, ...]]:
    """A row of text per stage."""
    return [(each.name, each.verdict, each.figure, _about(found, each)) for each in found.stages]


def _about(found: Audit, stage: Stage) -> str:
    if stage.verdict == OPEN:
        return f"because {stage.about}" if stage.about else ""
    return said(found, stage)


def worst(found: Audit) -> List[Seen]:
    """The worst pictures, those that differ."""
    return [each for each in found.pictures if each.alike < 1][:WORST]


def picture_rows(found: Audit) -> List[Tuple[str, ...]]:
    """A row of text for each of the worst pictures."""
    return [(os.path.basename(each.path), f"{100 * each.alike:.0f} %", f"{len(each.ours)} and {len(each.theirs)}")
            for each in worst(found)]  # fmt: skip


def tried_rows(found: Audit) -> List[Tuple[str, ...]]:
    """A row of text for each of the deviations that come nearest; none if the two are equal."""
    if not parted(found):
        return []
    nearest = sorted(found.tried, key=lambda each: each.left)[:NEAREST]
    return [(each.stage, f"{found.other} has {each.words}", f"{100 * (1 - each.left):.1f} %") for each in nearest]


def layer_rows(found: Audit) -> List[Tuple[str, ...]]:
    """Rows of text for the first broken tensor and its neighbours, or for the worst ones."""
    if found.layers is None:
        return []
    layers, first = list(found.layers.layers), found.layers.first
    if first is None:
        shown = sorted(layers, key=lambda each: each.own_db)[:AROUND]
    else:
        place = layers.index(first)
        shown = layers[max(0, place - AROUND) : place + AROUND + 1]
    return [(f"{each.name}{' *' if each is first else ''}", each.op, _db(each.own_db), _db(each.whole_db),
             f"{each.largest:.4g}") for each in shown]  # fmt: skip


def summary(found: Audit) -> Dict[str, Any]:
    """Everything as plain data for JSON."""
    return {
        "names": list(found.names),
        "equal": found.first is None,
        "stage": found.first.name if found.first else None,
        "sentence": sentence(found),
        "stages": [{"stage": each.name, "verdict": each.verdict, "figure": each.figure, "about": said(found, each)}
                   for each in found.stages],
        "tried": [{"stage": each.stage, "what": each.words, "left": round(each.left, 6)} for each in found.tried],
        "layers": [_plain(each) for each in found.layers.layers] if found.layers else [],
        "pictures": [{"path": each.path, "same": round(each.alike, 4), "boxes": [len(each.ours), len(each.theirs)]}
                     for each in found.pictures],
        "notes": list(found.notes),
    }  # fmt: skip


def parted(found: Audit) -> bool:
    """Whether some stage differs."""
    return any(each.verdict == PARTS for each in found.stages)


def _plain(layer: Layer) -> Dict[str, Any]:
    return {
        "name": layer.name,
        "other": layer.other,
        "op": layer.op,
        "own_db": round(layer.own_db, 2),
        "whole_db": round(layer.whole_db, 2),
        "largest": _finite(layer.largest),
        "not_finite": layer.broken,
    }


def _finite(value: float) -> Any:
    return value if value < float("inf") else None


def _db(value: float) -> str:
    if value <= LOWEST:
        return "not finite"
    return "equal" if value >= HIGHEST else f"{value:.1f}"


def _and(names: List[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
