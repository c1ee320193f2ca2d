"""Describes what a range table was made from. A table of another origin is not used again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Collection, Dict, Sequence

from edge_runtime import __version__
from edge_runtime.calibrate.ranges.table import Origin
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import ModelSpec

PREPARATION = ("input_wh", "resize", "pad_value", "color", "mean", "std")


def origin(path: str, images: Sequence[str], spec: ModelSpec, method: str, keep: Collection[str] = ()) -> Origin:
    """Returns the origin of a table that is made from these."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(hashlib.sha256(Path(image).read_bytes()).digest())
    seen = {key: value for key, value in asdict(spec).items() if key in PREPARATION}
    prepared = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
    return Origin(onnx_file.digest(path), digest.hexdigest(), prepared, method, tuple(sorted(keep)))


def provenance(images: int) -> Dict[str, object]:
    """Returns facts for people who read a table: the number of images, and our version."""
    return {"images": images, "edge_runtime": __version__}
