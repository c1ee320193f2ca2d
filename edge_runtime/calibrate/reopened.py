"""Opens a new INT8 file with every backend of this machine, and compares what it gives with the float model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import plugins
from edge_runtime.accuracy.voc import overlap
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import DeviceError, EdgeError, ModelError
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Detections

SURE, LOW = 0.4, 0.05  # boxes with more confidence than SURE count; those of the other model may have as little as LOW
LEAST = 0.1  # part of the boxes of one model that the other must find
FEW = 3  # boxes that say something together
OVERLAP = 0.5
MOST_NOISE = 0.5  # of the signal's power; one value for everything would be 1
WRONG, TIMES = 0.02, 100  # noise of one output that is a fault of a backend: so much, and so many times another's
FLOOR = 1e-4  # noise that rounding to 8 bits makes anyway
PICTURES = 3
FINISHED = "finished"  # the family of networks that give boxes


Outputs = List[List[NDArray[np.float32]]]


class _Found(NamedTuple):
    """What a model finds in the pictures, and its raw outputs for them."""

    boxes: List[Detections]
    outputs: Outputs
    raw: bool  # whether the outputs are not the boxes themselves, whose number may differ by chance


def check_result(
    result: str, original: str, flags: ModelFlags, options: BackendOptions, pictures: Sequence[str]
) -> Tuple[str, ...]:
    """Runs both models on a few of the pictures, the INT8 one on every backend of this machine that opens such files.

    Args:
        result, original: the INT8 file and the float file.

    Returns:
        A note for each backend that opens neither of the two.

    Raises:
        ModelError: a backend does not open the INT8 file, or gives results of another kind than the float one, or than
            another backend does.
    """
    some = pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]
    options = replace(options, thresholds=replace(options.thresholds, conf=LOW), slots=1)
    expected = _run(original, flags, options, some)
    notes: List[str] = []
    results: Dict[str, Outputs] = {}
    for member in _members(result):
        name = member.__name__.rsplit(".", 1)[-1]
        device = options.device if options.device in ("auto", *member.DEVICES) else "auto"
        here = replace(options, backend=name, device=device)
        try:
            found = _run(result, flags, here, some)
        except DeviceError:
            raise
        except EdgeError as error:
            if _opens(original, flags, here, some):
                raise _refused(f"{name} does not run the INT8 network: {_said(error, result)}") from error
            notes.append(f"{name} runs neither {Path(original).name} nor its INT8 network: {_said(error, result)}")
            continue
        _compare(name, expected, found)
        results[name] = found.outputs
    if expected.raw:
        compare_backends(expected.outputs, results)
    return tuple(notes)


def _members(path: str) -> List[ModuleType]:
    handling = [each for each in plugins.members("backends") if path.endswith(tuple(each.HANDLES))]
    return [each for each in handling if each.available() is None]


def _run(path: str, flags: ModelFlags, options: BackendOptions, pictures: Sequence[str]) -> _Found:
    with Detector.open(path, flags=flags, options=options) as detector:
        found = _Found([], [], detector.model.spec.family != FINISHED)
        for picture in pictures:
            found.boxes.append(detector(picture))
            found.outputs.append([np.array(output) for output in detector.backend.outputs(0)])
    return found


def _opens(path: str, flags: ModelFlags, options: BackendOptions, pictures: Sequence[str]) -> bool:
    try:
        _run(path, flags, options, pictures)
        return True
    except EdgeError:
        return False


def _said(error: EdgeError, path: str) -> str:
    """The error without the path of the file on trial, which is gone when somebody reads it."""
    return str(error).replace(path, "it")


def _compare(name: str, expected: _Found, found: _Found) -> None:
    """Raises ModelError if the two have nothing in common.

    Small differences are the verdict's business. An INT8 network that is written wrongly finds no box where it should,
    or gives values that are spread in another way.
    """
    for one, other in zip(expected.outputs, found.outputs):
        if any(np.isfinite(a).all() and not np.isfinite(b).all() for a, b in zip(one, other)):
            raise _refused(f"on {name} the INT8 network gives values that are not finite")
    there = [_met(boxes, others) for boxes, others in zip(expected.boxes, found.boxes)]
    back = [_met(others, boxes) for boxes, others in zip(expected.boxes, found.boxes)]
    for (count, met), finder, finds in ((_sum(there), "float", "INT8"), (_sum(back), "INT8", "float")):
        if count >= FEW and met < LEAST * count:
            fact = f"on {name} the {finds} network finds {met} of the {count} objects that the {finder} one finds"
            raise _refused(fact)
    pairs = [(a, b) for one, other in zip(expected.outputs, found.outputs) for a, b in zip(one, other)]
    if pairs and min(_sorted_noise(a, b) for a, b in pairs) > MOST_NOISE:
        raise _refused(f"on {name} the outputs of the INT8 network have nothing to do with those of the float one")


def compare_backends(expected: Outputs, found: Mapping[str, Outputs]) -> None:
    """Raises ModelError if a backend computes an output wrong that another one computes right.

    Boxes cannot show that where one output of several is wrong.

    Args:
        expected: outputs of the float model, for each picture.
        found: by backend, those of the INT8 model.
    """
    for place in range(len(expected[0]) if found and expected else 0):
        noise = {
            name: min(_noise(one[place], other[place]) for one, other in zip(expected, outputs))
            for name, outputs in found.items()
        }
        best = min(noise, key=lambda name: noise[name])
        if not noise[best]:  # nothing was rounded: it was INT8 already, or the output is not computed from weights
            continue
        for name, power in noise.items():
            if power > max(WRONG, TIMES * max(noise[best], FLOOR)):
                fact = f"{name} computes output {place + 1} of the INT8 network wrong"
                raise _refused(f"{fact}: its noise is {power:.2g} of the signal, on {best} {noise[best]:.2g}")


def _met(boxes: Detections, others: Detections) -> Tuple[int, int]:
    """Returns how many boxes are sure, and how many of these have another of the same class at the same place."""
    wanted = boxes.confidence >= SURE
    met = 0
    for box, kind in zip(boxes.xyxy[wanted], boxes.class_id[wanted]):
        same = others.xyxy[others.class_id == kind]
        met += bool(len(same) and overlap(box, same).max() >= OVERLAP)
    return int(wanted.sum()), met


def _sum(counts: Sequence[Tuple[int, int]]) -> Tuple[int, int]:
    return sum(count for count, _ in counts), sum(met for _, met in counts)


def _sorted_noise(signal: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The noise of sorted values: lists of boxes may come in another order."""
    return _noise(*(np.sort(each, axis=None).reshape(each.shape) for each in (signal, other)))


def _noise(signal: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Power of the difference by that of the signal."""
    if signal.shape != other.shape:
        return float("inf")
    one, two = signal.astype(np.float64), other.astype(np.float64)
    power = max(one.var(), 1e-6 * np.square(one).mean(), 1e-12) if one.size else 1.0  # also of one value everywhere
    return float(np.square(one - two).mean() / power) if one.size else 0.0


def _refused(fact: str) -> ModelError:
    hint = "nothing was written; try --method auto, or leave layers in float with --keep-fp"
    return ModelError(fact, hint=hint)
