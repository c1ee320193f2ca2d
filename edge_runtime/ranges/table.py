"""The range table: what calibration found out, and what it was found from, as one JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

from edge_runtime.errors import ModelError

FORMAT = 1


@dataclass(frozen=True)
class Origin:
    """What a table was made from; a table of another origin is stale.

    Attributes:
        model: SHA-256 of the ONNX file's graph.
        images: SHA-256 over the images, in order.
        preprocessing: SHA-256 of what prepares an image.
        method: how ranges were chosen.
    """

    model: str
    images: str
    preprocessing: str
    method: str


@dataclass(frozen=True)
class RangeTable:
    """Ranges of activations by tensor name.

    Attributes:
        origin: what it was made from.
        ranges: (low, high) with low <= 0 <= high, low < high.
        about: image count, versions: for people.
    """

    origin: Origin
    ranges: Mapping[str, Tuple[float, float]]
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges.items():
            if not (isfinite(low) and isfinite(high)):
                raise ModelError(
                    f"the range of {name} is {low} to {high}", hint="the network overflows: see which image"
                )
            if not low <= 0.0 <= high or low == high:
                raise ModelError(
                    f"the range of {name} is {low} to {high}", hint="nothing to quantise: keep this layer in float"
                )

    def to_json(self) -> str:
        """Text for a file, or for a model's metadata."""
        ranges = {name: [low, high] for name, (low, high) in self.ranges.items()}
        content = {"format": FORMAT, "origin": asdict(self.origin), "about": dict(self.about), "ranges": ranges}
        return json.dumps(content, indent=1)

    @classmethod
    def from_json(cls, text: str) -> RangeTable:
        """Reads what `to_json` wrote.

        Raises:
            ModelError: not such a table, or one of an unknown format.
        """
        try:
            content: Dict[str, Any] = json.loads(text)
            if content["format"] != FORMAT:
                raise ModelError(f"range table of format {content['format']}", hint="calibrate again with this version")
            ranges = {str(name): (float(low), float(high)) for name, (low, high) in content["ranges"].items()}
            return cls(Origin(**content["origin"]), ranges, content["about"])
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ModelError(f"not a range table: {error!r}", hint="edge-calibrate writes one") from error

    @classmethod
    def load(cls, path: Path) -> RangeTable:
        """Reads a file.

        Raises:
            ModelError: missing, or not a range table.
        """
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{path} cannot be read: {error}", hint="check the path") from error
