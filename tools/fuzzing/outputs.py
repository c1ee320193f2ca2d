"""Random outputs of models: shapes as some family has them, also damaged, and values of any range.

Each set is read like a file without a family's name, first by its shapes, then by its values. What opens is decoded.
A refusal must be an EdgeError with a hint. A result must be possible, and that of the numpy twin.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from edge_runtime import heads, plugins
from edge_runtime.detect import evidence, results
from edge_runtime.detect.output_reader import dense
from edge_runtime.detect.understand import Model, understand
from edge_runtime.errors import EdgeError
from edge_runtime.model import geometry
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import LAYOUTS, ModelIO
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from fuzzing import planted, shapes

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.twins import decode as twins

Arrays = List[np.ndarray]
SIZES = ((64, 64), (96, 64), (128, 128), (64, 160), (320, 320))
MOST_ROWS = 400
LEAST_GAP = 1e-5  # between two scores, more than rounding


@dataclass(frozen=True)
class Drawn:
    """One set of outputs, what the user says, and the object that is in it, if one is."""

    io: ModelIO
    outputs: Arrays
    flags: ModelFlags
    object: Optional[planted.Object] = None


VALUES: Dict[str, Callable[[np.random.Generator, Tuple[int, ...]], np.ndarray]] = {
    "probabilities": lambda r, shape: r.uniform(0, 1, shape),
    "few": lambda r, shape: np.where(r.uniform(0, 1, shape) > 0.995, 0.9, 1e-5),
    "logits": lambda r, shape: r.normal(0, 3, shape),
    "low logits": lambda r, shape: r.normal(-6, 2, shape),
    "pixels": lambda r, shape: r.uniform(0, 320, shape),
    "numbers": lambda r, shape: r.integers(0, 90, shape),
    "zeros": lambda r, shape: np.zeros(shape),
    "huge": lambda r, shape: r.normal(0, 1, shape) * 10.0 ** r.uniform(0, 38),
    "not a number": lambda r, shape: np.where(r.uniform(0, 1, shape) > 0.99, np.nan, r.uniform(0, 1, shape)),
    "infinite": lambda r, shape: np.where(r.uniform(0, 1, shape) > 0.99, np.inf, r.uniform(-1, 1, shape)),
    "INT8": lambda r, shape: r.integers(0, 2, shape) * 1.2531321,
    "above 1": lambda r, shape: r.uniform(0, 1.2, shape),
}


def draw(number: int, seed: int) -> Drawn:
    """The set of that number."""
    chance = random.Random(f"outputs {seed} {number}")
    numbers = np.random.default_rng(chance.getrandbits(32))
    wh = chance.choice(SIZES)
    if chance.random() < 0.3:
        io, outputs, there = planted.draw(chance, numbers)
        return Drawn(io, outputs, ModelFlags(), there)
    found = shapes.draw(chance, wh)
    outputs = [_values(chance, numbers, shape) for shape in found]
    named = {f"out{k}": (1, *shape) for k, shape in enumerate(found)}
    return Drawn(ModelIO("images", (1, 3, wh[1], wh[0]), named), outputs, _flags(chance))


def _values(chance: random.Random, numbers: np.random.Generator, shape: Tuple[int, ...]) -> np.ndarray:
    """One kind of values, or two that meet at some channel, whichever axis that is."""
    values = VALUES[chance.choice(list(VALUES))](numbers, shape)
    if len(shape) > 1 and chance.random() < 0.7:
        axis = chance.choice((0, len(shape) - 1))
        at = chance.choice((1, 4, 5, 6, shape[axis] // 2))
        rest = VALUES[chance.choice(list(VALUES))](numbers, shape)
        later = np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))]) >= at
        values = np.where(later, rest, values)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32)


def _flags(chance: random.Random) -> ModelFlags:
    said: Dict[str, Any] = {}
    if chance.random() < 0.15:
        said["family"] = chance.choice(plugins.names("heads"))
    if chance.random() < 0.2:
        said["labels"] = tuple(f"n{k}" for k in range(chance.choice((1, 2, 3, 20, 80))))
    if chance.random() < 0.15:
        said["head_layout"] = tuple(chance.sample(LAYOUTS, chance.choice((1, 2))))
    return ModelFlags(**said)


def judge(drawn: Drawn) -> str:
    """What becomes of one set, one word or two; after "FAULT " what is wrong."""
    try:
        model = understand("m.onnx", drawn.io, drawn.flags)
        chosen = model if model.certain else evidence.weighed(model, drawn.outputs)
    except EdgeError as error:
        return "refused" if error.message and error.hint else f"FAULT no hint: {error}"
    thresholds = Thresholds(conf=0.25, iou=0.45, max_det=MOST_ROWS)
    try:
        rows = decoded(chosen, drawn.outputs, thresholds)
        results.checked(rows, chosen, drawn.io.input_wh)
    except EdgeError as error:
        return "refused as a result" if error.hint else f"FAULT no hint: {error}"
    wrong = impossible(rows, chosen) or differs(chosen, drawn.outputs, drawn.object is not None)
    if not wrong and drawn.object:
        wrong = planted.missed(drawn.object, rows)
    said = f"{chosen.spec.family} {chosen.spec.head_layout} {dict(drawn.io.outputs)} {drawn.flags.said()}"
    return f"FAULT {wrong}: {said}" if wrong else ("boxes" if len(rows) else "no boxes")


def decoded(model: Model, outputs: Arrays, thresholds: Thresholds) -> np.ndarray:
    """The native decoder's rows for a picture of the size of the input."""
    assert model.decode is not None, "every family has a native description"
    decoder = ops.Decoder(model.decode, [(1, *output.shape) for output in outputs])
    boxes, counts = np.zeros((1, thresholds.max_det, 6), np.float32), np.zeros(1, np.int32)
    mask = decoder.class_mask(range(model.decode.num_classes))
    decoder([output[None] for output in outputs], _frame(model), thresholds, mask, boxes, counts)
    return boxes[0, : counts[0]]


def _frame(model: Model) -> np.ndarray:
    wh = model.spec.input_wh
    return np.array([ops.frame_row(geometry.fit(wh, wh, "stretch"), wh)], np.float64)


def impossible(rows: np.ndarray, model: Model) -> str:
    """What no result may be."""
    wh = np.array(model.spec.input_wh * 2)
    inside = bool(((rows[:, :4] >= 0) & (rows[:, :4] <= wh)).all()) and bool((rows[:, 2:4] > rows[:, :2]).all())
    scores = bool(((rows[:, 4] > 0) & (rows[:, 4] <= 1)).all())
    classes = bool(((rows[:, 5] >= 0) & (rows[:, 5] < len(model.spec.labels))).all())
    best = bool((np.diff(rows[:, 4]) <= 0).all())
    wrong = {"boxes": inside, "scores": scores, "classes": classes, "order": best}
    return ", ".join(f"impossible {what}" for what, right in wrong.items() if not right)


def differs(model: Model, outputs: Arrays, sound: bool) -> str:
    """What the native decoder and the numpy twin say differently, at a threshold that no rounding crosses.

    Args:
        sound: whether the values are such as a detector gives. Then the head's own numpy decode must say the same. Of
            several classes with a score of 1 or more it may choose another.
    """
    assert model.decode is not None
    mask = np.ones(model.decode.num_classes, np.uint8)
    conf = _between(model, outputs, mask)
    if conf is None:
        return ""
    limits = Thresholds(conf=conf, iou=1.0, max_det=2 * MOST_ROWS, multi_label=False)
    got = decoded(model, outputs, limits)
    wrong = _apart(model, got, twins.decode(model.decode, outputs, _frame(model)[0], limits, mask), "twin")
    return wrong or (_apart(model, got, _by_head(model, outputs, limits, mask), "head") if sound else "")


def _between(model: Model, outputs: Arrays, mask: np.ndarray) -> Optional[float]:
    """A threshold that few candidates pass and that lies in the widest gap of their scores; None if there is none."""
    assert model.decode is not None
    every = Thresholds(conf=0.0, multi_label=False)
    with np.errstate(all="ignore"):
        found = [twins.level_scores(model.decode, level, outputs, every, mask).ravel() for level in model.decode.levels]
    scores = np.concatenate(found)
    best = -np.sort(-scores[scores > 0])[: MOST_ROWS + 1]
    ranked = np.append(best, [0.0] * (len(best) <= MOST_ROWS)).clip(0, 1).astype(np.float64)
    gaps = ranked[:-1] - ranked[1:]
    at = int(gaps.argmax()) if len(gaps) else 0
    return float((ranked[at] + ranked[at + 1]) / 2) if len(gaps) and gaps[at] > LEAST_GAP else None


def _by_head(model: Model, outputs: Arrays, limits: Thresholds, mask: np.ndarray) -> np.ndarray:
    """The rows of the head's own numpy decode."""
    with np.errstate(all="ignore"):
        boxes, scores = heads.load_head(model.spec.family).decode([outputs[k] for k in model.read], model.spec)
    return twins.decode(dense(*scores.shape), [boxes, scores], _frame(model)[0], limits, mask)


def _apart(model: Model, got: np.ndarray, want: np.ndarray, whose: str) -> str:
    if len(got) == len(want) == 0:
        return ""
    near = 1e-3 * max(model.spec.input_wh)
    apart = np.abs(got[:, None] - want[None]) / (near, near, near, near, 1e-4, 0.5)
    partners = (apart < 1).all(axis=2) if len(got) and len(want) else np.zeros((1, 1), bool)
    alike = len(got) == len(want) and partners.any(axis=0).all() and partners.any(axis=1).all()
    return "" if alike else f"{len(got)} rows, the {whose} has {len(want)}"
