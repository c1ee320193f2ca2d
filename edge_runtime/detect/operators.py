"""Compares what a family says about a model's outputs with what the graph computes last before them."""

from __future__ import annotations

from typing import Optional, Tuple

from edge_runtime.detect.understand import Model
from edge_runtime.model.decode import DecodeSpec, View

Names = Tuple[str, ...]
ACTIVE = {"Sigmoid", "HardSigmoid", "Softmax"}
RAW = {"Conv", "Gemm", "MatMul"}
CHOOSING = {"TopK", "NonMaxSuppression"}
SCALING = {"Mul", "Sub", "Add", "Div"}
DECODED = ("cxcywh", "xyxy", "yxyx")  # kinds whose boxes the network decodes


def odd_operators(model: Model, probable: bool) -> Optional[str]:
    """Returns what in the graph contradicts the family; None if nothing does, or if nothing is known of the graph.

    Args:
        probable: whether all scores of a run lie in 0..1 as the file has them.
    """
    decode = model.decode
    if decode is None or not model.io.produced_by:
        return None
    boxes, scores = made_by(model)
    if decode.kind in DECODED and boxes[:1] == ("Conv",) and scores != boxes:
        return "its boxes come straight from Conv and are not decoded"
    return None if decode.finished else _odd_scores(decode, scores, _all(model, decode), probable)


def made_by(model: Model) -> Tuple[Names, Names]:
    """Returns the last operators of the boxes, and of the scores; the first and the last of one output for both."""
    if model.decode is None:
        return (), ()
    level = model.decode.levels[0]
    boxes, scores = _of(model, level.box), _of(model, level.score)
    if level.box.tensor != level.score.tensor:
        return boxes, scores
    first, last = boxes[:1], boxes[-1:]
    return (first, last) if level.box.offset < level.score.offset else (last, first)


def _odd_scores(decode: DecodeSpec, scores: Names, whole: Names, probable: bool) -> Optional[str]:
    if decode.class_activation != "none":
        again = bool(scores) and set(scores) <= ACTIVE
        return f"its scores come from {scores[0]} and would be activated a second time" if again else None
    if scores and set(scores) <= RAW and not probable:
        return f"its scores come straight from {scores[0]} and would not be activated"
    if set(scores) & CHOOSING:
        return f"its rows come from {scores[-1]}: they would be finished boxes"
    if set(whole[1:-1]) & ACTIVE and whole[-1] in SCALING and decode.levels[0].objectness is None:
        return f"the last of its classes would come from {whole[-1]}, not from {whole[-2]} like others"
    return None


def _all(model: Model, decode: DecodeSpec) -> Names:
    """All operators of an output that holds boxes and, at its end, all scores; else none."""
    level = decode.levels[0]
    joined = level.box.tensor == level.score.tensor and level.box.offset < level.score.offset
    return _of(model, level.score) if joined and "extra" not in model.spec.head_layout else ()


def _of(model: Model, view: View) -> Names:
    return model.io.produced_by.get(list(model.io.outputs)[view.tensor], ())
