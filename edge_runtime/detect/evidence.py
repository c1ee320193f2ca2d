"""Compares what a family says about a model's outputs with the values of one run on a photograph that comes along.

Output shapes alone are the same for several families. Read by the wrong one, boxes lie outside the image or are smaller
than a pixel, scores are above 1, or every place holds an object.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime import heads, plugins
from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.detect import understand
from edge_runtime.detect.understand import Model
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.heads import Floats
from edge_runtime.imaging.picture import to_bgr
from edge_runtime.model import onnx_file
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.sources.demo import PHOTOS

PHOTO = PHOTOS / "astronaut.jpg"
HIGHEST = 2.0  # scores of INT8 files exceed 1 a little
CLEAR, BEST = 0.05, 20  # rows that are looked at: with a clear score, else the best few
SURE = 0.5  # scores of objects that are surely there
MOST_PLACES = 0.3  # median of the best score of all places
EVEN = 1e-6
WHOLE = 0.02  # of class numbers, in float16 or INT8 files


def described(path: str, flags: ModelFlags, batch: int = 1) -> Model:
    """What is known about an ONNX file that is not opened for detection. If its family is a guess, one run decides.

    Raises:
        ModelError: the file is not a detector that this program can read.
    """
    member = plugins.load_member("backends", "onnxruntime")
    missing = member.available()
    model = understand.describe(path, onnx_file.read_io if missing else member.read_io, flags, batch)
    if model.certain:
        return model
    if missing is None:
        try:
            backend = member.open(path, model.spec, model.decode, BackendOptions(device="cpu", slots=1, batch=batch))
        except EdgeError as error:  # an operator that only TensorRT has
            missing = str(error)
        else:
            with closing(backend):
                return weighed(model, values(backend))
    note = f"the family {model.spec.family} is what the shapes of the outputs say; no run confirms it: {missing}"
    return replace(model, notes=(*model.notes, note))


def values(backend: Backend) -> List[Floats]:
    """Runs the model once on the photograph. Returns its outputs, any shape without the batch axis, float32."""
    backend.enqueue(0, [to_bgr(PHOTO)])
    backend.wait(0)
    return [output[0].copy() for output in backend.outputs(0)]


def weighed(model: Model, outputs: Sequence[Floats]) -> Model:
    """Returns the model as the first family reads it that the outputs do not contradict.

    Args:
        outputs: of one image, in the file's order, any shape without the batch axis.

    Raises:
        ModelError: they contradict all of them.
    """
    against: Dict[str, str] = {}
    for reading in (model, *model.rivals):
        reason = contradiction(reading, outputs)
        if reason is None:
            notes = (*reading.notes, *_noted(reading, list(against.values())), *_seen(reading, outputs))
            return replace(reading, notes=notes, rivals=())
        against.setdefault(reading.spec.family, f"{_name(reading)}: {reason}")
    if model.said:
        doubt = f"on a photograph the outputs contradict this family: {contradiction(model, outputs)}"
        return replace(model, notes=(*model.notes, doubt), rivals=())
    listed = ", ".join(f"{name} {list(shape)}" for name, shape in model.io.outputs.items())
    fact = f"{model.path} has outputs {listed}, but on a photograph they contradict it"
    raise ModelError(
        f"{fact} ({'; '.join(against.values())})",
        hint="it may be no detector, or one of an unknown family: --family reads it in spite of this",
    )


def contradiction(model: Model, outputs: Sequence[Floats]) -> Optional[str]:
    """Returns what is impossible or very unlikely if the model is of its family; None if nothing is.

    Args:
        outputs: of one image, in the file's order, any shape without the batch axis.
    """
    head, read = heads.load_head(model.spec.family), [outputs[k] for k in model.read]
    with np.errstate(all="ignore"):
        boxes, scores = head.decode(read, model.spec)
    if not len(scores) or not np.isfinite(scores).all():
        return None  # not a question of the family
    best = scores.max(axis=1)
    odd = _odd_scores(model.decode, outputs) if model.decode else None
    odd = odd or (str(head.odd(read, model.spec)) if hasattr(head, "odd") else None)
    if odd:
        return odd
    if scores.max() > HIGHEST or scores.min() < -HIGHEST / 2:
        return f"its scores would be {scores.min():.3g} to {scores.max():.3g}"
    finished = model.decode is not None and model.decode.finished  # a list of objects alone
    return (None if finished else _odd_places(best)) or _odd_boxes(model, boxes, best)


def _odd_places(best: Floats) -> Optional[str]:
    """Looks at the best scores of all places of a grid. Most of them hold nothing."""
    if len(best) > 1 and best.max() > CLEAR / 10 and best.max() - best.min() < EVEN:
        return "all places would have the same score"
    if np.median(best) > MOST_PLACES:
        return f"half of all places would hold an object with a score above {np.median(best):.2f}"
    return None


def _odd_scores(decode: DecodeSpec, outputs: Sequence[Floats]) -> Optional[str]:
    """Looks at the class scores as the file has them, or at the class numbers of finished boxes."""
    if decode.finished:
        return _odd_numbers(decode, outputs)
    count = decode.first_class + decode.num_classes
    raw = [_channels(level.score, level, count, outputs) for level in decode.levels]
    low, high = min(part.min() for part in raw), max(part.max() for part in raw)
    if decode.class_activation != "none" and low >= 0 and high <= 1:
        return "its scores would be activated a second time"
    if decode.class_activation == "none" and (high > HIGHEST or low < -HIGHEST / 2):
        return f"its scores would be {low:.3g} to {high:.3g}"
    return None


def _odd_numbers(decode: DecodeSpec, outputs: Sequence[Floats]) -> Optional[str]:
    """Looks at the rows that hold an object. Unused rows hold anything, mostly 0 or -1."""
    (level,) = decode.levels
    assert level.class_id is not None
    scores, numbers = (_channels(view, level, 1, outputs).ravel() for view in (level.score, level.class_id))
    if level.count is not None:
        numbers, scores = (part[: int(outputs[level.count.tensor].ravel()[0])] for part in (numbers, scores))
    if len(scores) and (scores.max() > HIGHEST or scores.min() < -1 - WHOLE):
        return f"its scores would be {scores.min():.3g} to {scores.max():.3g}"
    numbers = numbers[scores > 0]
    if len(numbers) and np.abs(numbers - np.rint(numbers)).max() > WHOLE:
        return "its class numbers would be no whole numbers"
    number = np.rint(numbers).max(initial=0) - decode.first_class
    return f"a class would have the number {number:.0f}" if number >= decode.num_classes else None


def _channels(view: View, level: Level, count: int, outputs: Sequence[Floats]) -> Floats:
    """The first values of a view, (anchors, cells, count)."""
    anchors = np.arange(len(level.anchors))[:, None, None] * view.anchor
    cells = np.arange(level.grid_wh[0] * level.grid_wh[1])[:, None] * view.cell
    found: Floats = outputs[view.tensor].ravel()[view.offset + anchors + cells + np.arange(count) * view.channel]
    return found


def _odd_boxes(model: Model, boxes: Floats, best: Floats) -> Optional[str]:
    count = int((best > CLEAR).sum()) or BEST
    order = np.argsort(-best)[:count]
    rows = boxes[order[best[order] > 0]]
    if not len(rows):
        return None
    size, limit = rows[:, 2:] - rows[:, :2], np.array(model.spec.input_wh, np.float32)
    with np.errstate(all="ignore"):
        centre = (rows[:, 2:] + rows[:, :2]) / 2
        inside = ((centre > -0.5 * limit) & (centre < 1.5 * limit) & (size < 4 * limit)).all(axis=1)
    if np.mean((size > 0).all(axis=1)) < 0.5:
        return "most of its boxes would have no area"
    if np.mean(inside) < 0.5:
        return "most of its boxes would lie outside the image"
    if np.mean((size < 1).all(axis=1)) > 0.5:
        return "most of its boxes would be smaller than a pixel"
    return None


def _noted(chosen: Model, against: Sequence[str]) -> Tuple[str, ...]:
    return (f"read as --family {_name(chosen)}: as {'; as '.join(against)}",) if against else ()


def _seen(model: Model, outputs: Sequence[Floats]) -> List[str]:
    """What a list of objects on a photograph of a person leaves in doubt."""
    if model.decode is None or not model.decode.finished:
        return []
    scores = heads.load_head(model.spec.family).decode([outputs[k] for k in model.read], model.spec)[1]
    if scores.max(initial=0) <= CLEAR:
        return ["the network finds nothing on a photograph, so the order of columns and class numbers is the usual one"]
    found = {model.spec.labels[number] for number in np.argwhere(scores > SURE)[:, 1]}
    if not found or "person" not in model.spec.labels or "person" in found:
        return []
    told = ", ".join(sorted(found)[:3])
    return [
        f"on a photograph of a person it finds: {told}. Are the class numbers others? see --labels and --head-layout"
    ]


def _name(model: Model) -> str:
    words = ",".join(model.spec.head_layout)
    return f"{model.spec.family} --head-layout {words}" if words else model.spec.family
