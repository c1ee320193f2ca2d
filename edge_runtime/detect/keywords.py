"""The keywords of `Detector.open`. They are the flags of the command line."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import Any, Iterable, Mapping, Set

import numpy as np

from edge_runtime.backends import BackendOptions
from edge_runtime.errors import UsageError
from edge_runtime.files.fields import nearest
from edge_runtime.model.recipe import ModelFlags, load_recipe
from edge_runtime.model.thresholds import Thresholds

# Words of other tools that difflib would not find.
OTHER_NAMES = {
    "confidence": "conf", "conf_thres": "conf", "threshold": "conf", "score_threshold": "conf",
    "iou_thres": "iou", "nms": "iou", "nms_threshold": "iou", "names": "labels", "class_names": "labels",
    "img_size": "imgsz", "input_size": "imgsz", "size": "imgsz", "provider": "device", "providers": "device",
    "batch_size": "batch", "num_threads": "threads", "num_streams": "streams", "max_detections": "max_det",
    "topk": "max_det",
}  # fmt: skip


def refuse_unknown(unknown: Iterable[str], known: Iterable[str]) -> None:
    """Refuses keywords that are left over.

    Raises:
        UsageError: one is; the hint has the nearest that there is.
    """
    for name in unknown:
        ours = OTHER_NAMES.get(name)
        hint = f"did you mean {ours!r}?" if ours else nearest(name, sorted(known))
        raise UsageError(f"no keyword {name!r} of Detector.open", hint=hint)


def model_flags(said: Mapping[str, Any], flags: ModelFlags) -> ModelFlags:
    """What is said about the model. The keywords override `flags`, and `flags` override the recipe.

    Raises:
        UsageError: a value has the wrong type, or the recipe cannot be read.
    """
    _demand("flags", flags, ModelFlags)
    stated = ModelFlags(**{name: _plain(said[name]) for name in _fields(ModelFlags) & said.keys()})
    weaker = load_recipe(os.fsdecode(said["recipe"])) if "recipe" in said else ModelFlags()
    return stated.over(flags).over(weaker)


def backend_options(said: Mapping[str, Any], options: BackendOptions) -> BackendOptions:
    """What is said about running the model and about thresholds. The keywords override `options`.

    Raises:
        UsageError: `options` is not a `BackendOptions`.
        SpecError: thresholds out of range.
    """
    _demand("options", options, BackendOptions)
    thresholds = {name: _plain(said[name]) for name in _fields(Thresholds) & said.keys()}
    running = {name: said[name] for name in (_fields(BackendOptions) - {"thresholds"}) & said.keys()}
    return replace(options, thresholds=replace(options.thresholds, **thresholds), **running)


def _demand(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise UsageError(f"{name} is of type {type(value).__name__}", hint=f"expected {kind.__name__}, or leave it out")


def _fields(kind: Any) -> Set[str]:
    return {field.name for field in fields(kind)}


def _plain(value: Any) -> Any:
    """Turns paths into text, arrays and sets into lists. The field then checks the value."""
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    return value.tolist() if isinstance(value, np.ndarray) else value
