"""What a user says about a model and its file does not say: flags, or the same keys in a TOML recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple, Union

from edge_runtime.errors import UsageError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import Field, check_fields
from edge_runtime.model import anchors, spec
from edge_runtime.model.spec import Triple


@dataclass(frozen=True)
class ModelFlags:
    """Statements about a model; None if nothing was said. Recipes and the flags of all commands use the same names.

    Attributes:
        family: name of a file in `heads/`.
        labels: "coco", "voc", a path, a comma-separated list, or the names themselves.
        imgsz: (width, height) for models with an open input size, pixels.
        resize, color, mean, std, pad_value, anchors, strides, scale_xy, head_layout: as in `ModelSpec`; anchors may
            also be the name of a set, or text, see `model.anchors`.
    """

    family: Optional[str] = None
    labels: Optional[Union[str, Tuple[str, ...]]] = None
    imgsz: Optional[Tuple[int, int]] = None
    resize: Optional[str] = None
    color: Optional[str] = None
    mean: Optional[Triple] = None
    std: Optional[Triple] = None
    pad_value: Optional[int] = None
    anchors: Optional[Tuple[Tuple[Tuple[float, float], ...], ...]] = None
    strides: Optional[Tuple[int, ...]] = None
    scale_xy: Optional[Tuple[float, ...]] = None
    head_layout: Optional[Tuple[str, ...]] = None

    def __post_init__(self) -> None:
        for name, value in check_fields(self.said(), FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)

    def said(self) -> Dict[str, Any]:
        """Returns the statements that were made, those that are not None."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def over(self, weaker: ModelFlags) -> ModelFlags:
        """Returns these statements. What they do not say is taken from the weaker ones."""
        return replace(weaker, **self.said())


def load_recipe(path: str) -> ModelFlags:
    """Reads a recipe. Its tables, such as `[training]`, are for people and are ignored.

    Raises:
        UsageError: the file is not readable or not TOML, a value does not fit, or a key is unknown (the hint names the
            nearest one).
    """
    try:
        data = read.parse_toml(read.read_text(path))
    except ValueError as error:
        raise UsageError(f"recipe {path} is not readable: it {error}", hint="a recipe is a TOML file") from error
    stated = {key: value for key, value in data.items() if not isinstance(value, dict) or key in FIELDS}
    return ModelFlags(**check_fields(stated, FIELDS, f"recipe {path}: ", UsageError))


# As with the flags: one number is for three channels, one size is for both sides, labels are a list or a word.
FIELDS = {
    **{name: field for name, field in spec.FIELDS.items() if name != "input_wh"},
    "labels": Field("coco, voc, a file, or a list of names", lambda value: _labels(value)),
    "imgsz": fields.size(),
    "anchors": anchors.FIELD,
    "mean": fields.repeated(fields.number(), 3),
    "std": fields.repeated(fields.number(0, above=True), 3),
    "strides": fields.several(fields.whole(1, 4096), alone=True),
    "scale_xy": fields.several(fields.number(0, above=True), alone=True),
}


def _labels(value: Any) -> Union[str, Tuple[str, ...]]:
    field = fields.text(1 << 20) if isinstance(value, str) else fields.several(fields.text(), least=1)
    return field.take(value)  # type: ignore[no-any-return]
