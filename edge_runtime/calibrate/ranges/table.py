"""The range table: the result of a calibration and what it was made from, as one JSON file."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields

FORMAT = 2
LEGACY_VERSION = "8.5.2"  # TensorRT of JetPack 5
SMALLEST, LARGEST = 1e-12, 1e12  # bounds of the larger end of a range in a file; float16 ends at 65504
ORIGIN = {
    **dict.fromkeys(("model", "images", "preprocessing", "method"), fields.text()),
    "keep": fields.several(fields.text()),
}
FIELDS = {
    "origin": fields.mapping(fields.anything()),
    "ranges": fields.mapping(fields.several(fields.number(), 2, 2)),
    "about": fields.mapping(fields.anything()),
    "free": fields.several(fields.text()),
}


@dataclass(frozen=True)
class Origin:
    """What a table was made from. A table of another origin is out of date.

    Attributes:
        model: SHA-256 of the ONNX file's graph.
        images: SHA-256 over all images, in order.
        preprocessing: SHA-256 of the settings that prepare an image.
        method: how ranges were chosen.
        keep: layers that were asked to stay in float.
    """

    model: str
    images: str
    preprocessing: str
    method: str
    keep: Tuple[str, ...] = ()


@dataclass(frozen=True)
class RangeTable:
    """Ranges of activations by tensor name.

    Attributes:
        origin: what it was made from.
        ranges: (low, high) with low <= 0 <= high, low < high; rounded to six digits, as in a file.
        about: facts for people: number of images, versions.
        float_activations: activations that stay in float although they have a range, the most sensitive first.
    """

    origin: Origin
    ranges: Mapping[str, Tuple[float, float]]
    about: Mapping[str, Any]
    float_activations: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        short = {name: (_short(low), _short(high)) for name, (low, high) in self.ranges.items()}
        object.__setattr__(self, "ranges", short)
        for name, (low, high) in self.ranges.items():
            if not (isfinite(low) and isfinite(high)):
                raise ModelError(f"the range of {name} is {low} to {high}", hint="the network overflows on an image")
            if not low <= 0.0 <= high or low == high:
                raise ModelError(
                    f"the range of {name} is {low} to {high}",
                    hint="calibrate again, or keep the layers that read it in float with --keep-fp",
                )

    def to_json(self, indent: Optional[int] = None) -> str:
        """Returns the text for a model's metadata; with `indent` the text for a file."""
        content = {"format": FORMAT, "origin": asdict(self.origin), "about": dict(self.about)}
        separators = (",", ":") if indent is None else (",", ": ")
        whole = {**content, "free": list(self.float_activations), "ranges": dict(self.ranges)}
        return json.dumps(whole, indent=indent, separators=separators)

    @classmethod
    def from_json(cls, text: str) -> RangeTable:
        """Reads what `to_json` wrote.

        Raises:
            ModelError: the text is not such a table, or has an unknown format.
        """
        try:
            content = read.parse_json_object(text)
            if content.get("format") != FORMAT:
                fact = f"the range table has the unknown format {fields.show(content.get('format'))}"
                raise ModelError(fact, hint="calibrate again with this version")
            kept = check_fields({name: content[name] for name in FIELDS}, FIELDS, "range table: ", ModelError)
            origin = Origin(**check_fields(kept["origin"], ORIGIN, "range table: origin: ", ModelError))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"not a range table: {read.why(error)}", hint="edge-calibrate writes one") from error
        for name, (low, high) in kept["ranges"].items():
            if not SMALLEST <= max(-low, high) <= LARGEST:
                fact = f"range table: the range of {name} is {low:g} to {high:g}, which no network has"
                raise ModelError(fact, hint="the file was changed: calibrate again")
        return cls(origin, kept["ranges"], kept["about"], kept["free"])

    @classmethod
    def load(cls, path: Path) -> RangeTable:
        """Reads a file.

        Raises:
            ModelError: the file is missing, or not a range table.
        """
        try:
            return cls.from_json(read.read_text(path, 4 * read.TEXT))
        except ValueError as error:
            if isinstance(error, ModelError):
                raise ModelError(f"{path}: {error}", hint=error.hint) from error
            raise ModelError(f"{path} cannot be read: it {error}", hint="check the path") from error

    def legacy_cache(self, version: str = LEGACY_VERSION) -> str:
        """Returns the ranges as a calibration cache of TensorRT 8 and 10.

        It has one scale per tensor, as big-endian hexadecimal float32. With it TensorRT reads the float ONNX file and
        chooses for itself where to round.

        Args:
            version: version of the TensorRT that will read it, "8.5.2". Each version refuses the caches of others.

        Raises:
            UsageError: not a version, or a version that reads no such cache.
        """
        scales = {
            name: max(-low, high) / 127
            for name, (low, high) in self.ranges.items()
            if name not in self.float_activations
        }
        lines = [f"{name}: {struct.pack('>f', scale).hex()}" for name, scale in scales.items()]
        return "\n".join([f"TRT-{legacy_number(version)}-EntropyCalibration2", *lines, ""])


def legacy_number(version: str) -> int:
    """Returns the number that TensorRT writes for its version: 8502 for "8.5.2", 100300 for "10.3.0".

    Raises:
        UsageError: not a version, or a version that reads no calibration cache.
    """
    parts = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?(?:\.\w+)*$", version)
    if parts is None:
        raise UsageError(f"TensorRT's version is {version!r}", hint="write it like 8.5.2 or 10.3.0")
    major, minor, patch = (int(part or 0) for part in parts.groups())
    if major > 10:
        raise UsageError(f"TensorRT {version} reads no calibration cache", hint="it reads the calibrated model itself")
    return int(major) * (1000 if major < 10 else 10000) + 100 * minor + patch


def _short(value: float) -> float:
    """Rounds to six digits; 8 bits need only three."""
    return float(f"{value:.6g}")
