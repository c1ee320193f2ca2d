"""Compares what a family says about a model's outputs with the values of one run on a photograph that comes along.

Output shapes alone are the same for several families. Read by the wrong one, boxes lie outside the image or are smaller
than a pixel, scores are above 1, or every place holds an object.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Dict, List, Sequence, Tuple

import numpy as np

from edge_runtime import heads, plugins
from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.detect import operators, oriented, understand
from edge_runtime.detect.contradictions import CLEAR, contradiction
from edge_runtime.detect.understand import Model
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.heads import Floats
from edge_runtime.imaging.picture import to_bgr
from edge_runtime.model import onnx_file, unread_outputs
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.sources.demo import PHOTOS

PHOTO = PHOTOS / "astronaut.jpg"
UNKNOWN = "no detector, or one of an unknown family"
SURE = 0.5  # scores of objects that are surely there


def described(path: str, flags: ModelFlags, batch: int = 1) -> Model:
    """What is known about an ONNX file that is not opened for detection. If its family is a guess, one run decides.

    Raises:
        ModelError: the file is not a detector that this program can read, or its family is a guess and cannot be run.
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
    if not model.said and model.io.metadata.get("author") != "Ultralytics":
        fact = f"{path} does not name its family, and no run can confirm that it is {model.spec.family}: {missing}"
        raise ModelError(fact, hint=f"if it is, say so: --family {_name(model)}")
    note = f"{_name(model)} is what the shapes of the outputs say; no run confirms it: {missing}"
    return replace(model, notes=(*model.notes, note), evidence=(f"for {_name(model)}: the shapes say it",))


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
    lines: List[str] = []
    for reading in (model, *model.rivals):
        reason = contradiction(reading, outputs)
        if reason is None:
            notes = (*reading.notes, *_noted(reading, list(against.values())), *_seen(reading, outputs))
            lines.append(f"for {_name(reading)}: {_support(reading, outputs)}")
            return replace(reading, notes=notes, rivals=(), evidence=tuple(lines))
        lines.append(f"against {_name(reading)}: {reason}")
        against.setdefault(reading.spec.family, f"{_name(reading)}: {reason}")
    if model.said:
        doubt = f"on a photograph the outputs contradict this family: {contradiction(model, outputs)}"
        return replace(model, notes=(*model.notes, doubt), rivals=(), evidence=tuple(lines))
    raise _refusal(model, list(against.values()))


def _refusal(model: Model, against: Sequence[str]) -> ModelError:
    kind = unread_outputs.by_outputs(model.io)
    if any(oriented.REASON in reason for reason in against):
        kind = oriented.KIND
    listed = ", ".join(f"{name} {list(shape)}" for name, shape in model.io.outputs.items())
    fact = f"{model.path} has outputs {listed}, but on a photograph they contradict it"
    return ModelError(
        f"{fact} ({'; '.join(against)}); it is probably {kind.name if kind else UNKNOWN}",
        hint=f"{kind.hint + '; or ' if kind else ''}--family NAME reads it in spite of this",
    )


def _support(model: Model, outputs: Sequence[Floats]) -> str:
    """What the values show if they are read so."""
    with np.errstate(all="ignore"):
        scores = heads.load_head(model.spec.family).decode([outputs[k] for k in model.read], model.spec)[1]
    best = scores.max(axis=1) if len(scores) else np.zeros(1)
    boxes, made = (" and ".join(part) for part in operators.made_by(model))
    graph = f"; boxes from {boxes}, scores from {made}" if boxes and made else ""
    return f"{len(scores)} places, best score {best.max():.2g}, {(best > CLEAR).sum()} above {CLEAR}{graph}"


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
    return [f"on a photograph of a person it finds: {told}; if its class numbers mean others, see --labels"]


def _name(model: Model) -> str:
    words = ",".join(model.spec.head_layout)
    return f"{model.spec.family} --head-layout {words}" if words else model.spec.family
