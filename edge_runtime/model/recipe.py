"""What a user says about a model that its file does not: flags, or the same keys in a TOML recipe."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from edge_runtime.errors import UsageError
from edge_runtime.model.spec import Triple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class ModelFlags:
    """Statements about a model; None means not said. Keys of a recipe and flags of every command are the same.

    Attributes:
        family: a file name in `heads/`.
        labels: "coco", "voc", a path or a comma-separated list.
        imgsz: (width, height) for models with an open input size, pixels.
        resize, color, mean, std, pad_value, anchors, strides, scale_xy: as in `ModelSpec`.
    """

    family: Optional[str] = None
    labels: Optional[str] = None
    imgsz: Optional[Tuple[int, int]] = None
    resize: Optional[str] = None
    color: Optional[str] = None
    mean: Optional[Triple] = None
    std: Optional[Triple] = None
    pad_value: Optional[int] = None
    anchors: Optional[Tuple[Tuple[Tuple[float, float], ...], ...]] = None
    strides: Optional[Tuple[int, ...]] = None
    scale_xy: Optional[Tuple[float, ...]] = None

    def said(self) -> Dict[str, Any]:
        """The statements that were made."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, weaker: ModelFlags) -> ModelFlags:
        """These statements, completed by weaker ones."""
        return replace(weaker, **self.said())


def load_recipe(path: str) -> ModelFlags:
    """Reads a recipe; its tables, such as `[training]`, are for people.

    Raises:
        UsageError: not readable, not TOML, or an unknown key (the hint names the nearest known one).
    """
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"recipe {path} is not readable: {error}", hint="a recipe is a TOML file") from error
    known = [f.name for f in fields(ModelFlags)]
    stated = {key: value for key, value in data.items() if not isinstance(value, dict)}
    for key in stated:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise UsageError(
                f"recipe {path} has an unknown key {key!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}",
            )
    return ModelFlags(**{key: _tupled(value) for key, value in stated.items()})


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value
