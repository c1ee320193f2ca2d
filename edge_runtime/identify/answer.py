"""Writes down what was found: a recipe, or a copy of the model that says it itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict

from edge_runtime.errors import UsageError
from edge_runtime.files import atomic
from edge_runtime.model import labels, onnx_file
from edge_runtime.model.spec import GOLDEN_KEY, METADATA_KEY, ModelSpec

LISTS = ("anchors", "strides", "scale_xy", "head_layout")  # empty ones are left out: the family's own are used


def recipe(spec: ModelSpec, about: Dict[str, Any]) -> str:
    """Returns a recipe as `model.recipe` reads it.

    Args:
        about: what people should know; it goes into the table `[identified]`, which is not read.
    """
    known = next((name for name, names in labels.SETS.items() if names == spec.labels), None)
    said = {"family": spec.family, "labels": known or spec.labels, "imgsz": spec.input_wh, "resize": spec.resize,
            "color": spec.color, "mean": spec.mean, "std": spec.std, "pad_value": spec.pad_value}  # fmt: skip
    said.update({name: getattr(spec, name) for name in LISTS if getattr(spec, name)})
    lines = [f"{key} = {_toml(value)}" for key, value in said.items()]
    lines += ["", "[identified]", *(f"{key} = {_toml(value)}" for key, value in about.items())]
    return "\n".join(lines) + "\n"


def stamp(source: str, target: Path, spec: ModelSpec) -> None:
    """Writes a copy of an ONNX file whose metadata says how it is used. The network is the same.

    Raises:
        ModelError: the file is not readable.
        UsageError: its weights are in files of another folder, or the copy cannot be written.
    """
    model = onnx_file.load_onnx(source)
    weights = onnx_file.external_files(source)
    if weights and os.path.realpath(target.parent) != os.path.realpath(Path(source).parent):
        fact = f"{source} keeps its weights in {os.path.basename(weights[0])}, which a copy elsewhere would not find"
        raise UsageError(fact, hint=f"write the copy into {Path(source).parent}/, or a recipe: -o recipe.toml")
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key not in (METADATA_KEY, GOLDEN_KEY)]
    del model.metadata_props[:]
    for key, value in [*kept, (METADATA_KEY, spec.to_json())]:
        model.metadata_props.add(key=key, value=value)
    atomic.replace_file(target, model.SerializeToString())


def _toml(value: Any) -> str:
    """A value in TOML. It is written as JSON, except for characters that TOML does not allow as they are."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
