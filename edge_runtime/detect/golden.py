"""Golden frames: what an engine must find on two photographs that come along. They are stored with the engine.

They are compared when the engine is opened, before anything else sees it. So an engine that was swapped, a library that
computes wrongly, or a float16 that overflows is refused, and gives no wrong results without a word.

Boxes and scores are those of the family's numpy decode, before NMS, so no threshold of the user changes them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import heads
from edge_runtime.backends import Backend
from edge_runtime.detect.finite import DAMAGE, not_finite
from edge_runtime.detect.understand import Model
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields
from edge_runtime.heads import Floats
from edge_runtime.imaging.picture import to_bgr
from edge_runtime.model.spec import GOLDEN_KEY, METADATA_KEY, ModelSpec
from edge_runtime.sources.demo import PHOTOS

FRAMES = ("astronaut.jpg", "chelsea.jpg")
PLACES = 24  # of each photograph: those with the best scores
TOLERANCE = 0.25  # at least, of what the scores of the two photographs differ by; `widened` allows more
MOST_TOLERANCE = 0.75  # at 1 an engine that finds nothing would pass
MARGIN = 2.0  # times what two trusted backends differ by
LEAST_SPREAD = 0.05  # part of the scores; two photographs differ by more if anything is found
LEAST_SCORE = 0.02  # scores that differ by less than a quarter of it are equal, as in a network that finds little here
LEAST = 1e-4  # a network whose best score is below this finds nothing at all
SKIP = "--no-golden opens it all the same"
Rows = List[List[float]]


def record(model: Model, backend: Backend) -> Dict[str, Any]:
    """Returns what a trusted backend finds, as plain data.

    Raises:
        ModelError: its outputs are not finite, or it finds nothing on these photographs.
    """
    found = {name: _found(model, backend, name) for name in FRAMES}
    frames: Dict[str, Any] = {}
    for name, other in zip(FRAMES, reversed(FRAMES)):
        rows = [[*row, _score(*found[other], row)] for row in _best(*found[name])]
        total = float(found[name][1].max(axis=1).sum())
        frames[name] = {"total": total, "rows": [[round(float(value), 5) for value in row] for row in rows]}
    if max((row[5] for frame in frames.values() for row in frame["rows"]), default=0.0) < LEAST:
        raise ModelError("the network finds nothing on the photographs", hint="it has no golden frames")
    return {"tolerance": TOLERANCE, "frames": frames}


def widened(golden: Dict[str, Any], model: Model, backend: Backend) -> Dict[str, Any]:
    """Returns golden frames that allow what another trusted backend, or the float form of the network, differs by.

    Raises:
        ModelError: it differs so much that the golden frames say nothing.
    """
    off = _worst(golden, model, backend)[0]
    if MARGIN * off > MOST_TOLERANCE:
        fact = f"on the photographs its scores already differ by {off:.2g} between two ways to compute it"
        raise ModelError(fact, hint="it has no golden frames")
    return {**golden, "tolerance": max(golden["tolerance"], round(MARGIN * off, 3))}


def check(model: Model, backend: Backend) -> Optional[str]:
    """Compares an open engine with its golden frames. An engine without them is not run.

    Returns:
        Why nothing was compared; None if it was compared, or if there is nothing to compare it with.

    Raises:
        ModelError: it differs, or its golden frames are damaged.
    """
    text, described = (model.io.metadata.get(key) for key in (GOLDEN_KEY, METADATA_KEY))
    if text is None or described is None:
        return None
    stored = ModelSpec.from_json(described)
    if replace(stored, labels=()) != replace(model.spec, labels=()):
        return "its golden frames are not compared: flags change its input or how it is read"
    golden = parse(model.path, text)
    if "reason" in golden:
        return f"it has no golden frames: {golden['reason']}"
    off, name = _worst(golden, model, backend)
    if off > golden["tolerance"]:
        _refuse(model, f"on {name} its scores are off by {off:.2g}, {golden['tolerance']:g} is allowed")
    return None


def _worst(golden: Mapping[str, Any], model: Model, backend: Backend) -> Tuple[float, str]:
    """The largest difference, and the name of its photograph."""
    return max((_difference(model, backend, name, frame), name) for name, frame in golden["frames"].items())


def _refuse(model: Model, fact: str) -> None:
    hint = f"another engine, a broken library or float16 that overflows: make it again, see edge-doctor; {SKIP}"
    raise ModelError(f"{model.path} does not find what is stored with it: {fact}", hint=hint)


def _found(model: Model, backend: Backend, name: str) -> Tuple[Floats, Floats]:
    """All boxes (n, 4) and scores (n, C) of a photograph, in model pixels."""
    backend.enqueue(0, [to_bgr(PHOTOS / name)])
    backend.wait(0)
    outputs = [backend.outputs(0)[number][0].copy() for number in model.read]
    if any(map(not_finite, outputs)):
        raise ModelError(f"on {name} the outputs of {model.path} are not finite", hint=f"{DAMAGE}; {SKIP}")
    with np.errstate(all="ignore"):
        return heads.load_head(model.spec.family).decode(outputs, model.spec)


def _best(boxes: Floats, scores: Floats) -> Rows:
    """The rows `[class_id, x1, y1, x2, y2, score]` of the places with the best scores. Boxes below a pixel are none."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    best = np.where((sizes >= 1).all(axis=1), scores.max(axis=1), -1.0)
    places = [place for place in np.argsort(-best, kind="stable")[:PLACES] if best[place] > 0]
    classes = scores.argmax(axis=1)
    rows = [[float(classes[place]), *boxes[place]] for place in places]
    return [[*row, _score(boxes, scores, row)] for row in rows]


def _score(boxes: Floats, scores: Floats, row: Sequence[float]) -> float:
    """The best score of a row's class. A box that does not lie on the row's box counts by its IoU, so nothing jumps."""
    box = np.array(row[1:5], np.float32)
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    common = np.maximum(high - low, 0).prod(axis=1)
    areas = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    overlap = common / (areas + (box[2:] - box[:2]).prod() - common)
    return float((scores[:, int(row[0])] * overlap).max(initial=0.0))


def _difference(model: Model, backend: Backend, name: str, frame: Mapping[str, Any]) -> float:
    """By how much the scores differ, as a part of what those of the two photographs differ by."""
    boxes, scores = _found(model, backend, name)
    if not all(0 <= row[0] < scores.shape[1] for row in frame["rows"]):
        raise ModelError(f"{model.path} has {scores.shape[1]} classes, and other golden frames", hint=SKIP)
    now = np.array([_score(boxes, scores, row) for row in frame["rows"]])
    then, other = np.array(frame["rows"]).reshape(-1, 7)[:, 5:].T
    least = LEAST_SCORE * float(np.sqrt(max(1, len(then))))
    spread = max(_length(then - other), LEAST_SPREAD * _length(then), least)
    total = float(frame["total"])
    return max(_length(now - then) / spread, abs(float(scores.max(axis=1).sum()) - total) / max(total, 1.0))


def _length(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values * values).sum()))


def parse(path: str, text: str) -> Dict[str, Any]:
    """Returns what `record` found, or the reason why there is nothing, from its JSON.

    Raises:
        ModelError: it is damaged.
    """
    try:
        data = read.parse_json_object(text)
        if "reason" in data:
            return check_fields(data, REASON, "", ModelError)
        golden = check_fields({name: data[name] for name in FIELDS}, FIELDS, "", ModelError)
        for frame in golden["frames"].values():
            check_fields({name: frame[name] for name in FRAME}, FRAME, "", ModelError)
        if golden["frames"].keys() != set(FRAMES):
            raise ModelError("its pictures are others", hint=f"expected {', '.join(FRAMES)}")
        return golden
    except (KeyError, TypeError, ValueError) as error:
        fact = error.message if isinstance(error, EdgeError) else read.why(error)
        raise ModelError(f"the golden frames of {path} are damaged: {fact}", hint="make the engine again") from error


MOST = 1e6  # pixels
REASON = {"reason": fields.text(1 << 12)}
FIELDS = {"tolerance": fields.number(0, MOST_TOLERANCE), "frames": fields.mapping(fields.mapping(fields.anything()))}
FRAME = {
    "total": fields.number(0),
    "rows": fields.several(fields.several(fields.number(-MOST, MOST), 7, 7), most=PLACES),
}
