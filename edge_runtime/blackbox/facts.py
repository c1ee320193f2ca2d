"""What a recording says of the software, the machine, the engines and the settings. No secret is in it."""

from __future__ import annotations

import math
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from edge_runtime import __version__
from edge_runtime.blackbox.hashing import as_pixels
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError
from edge_runtime.gpu import passport
from edge_runtime.imaging import pyav
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.rules import Rules
from edge_runtime.machine import cores
from edge_runtime.model import external, onnx_file
from edge_runtime.text.secrets import redact
from edge_runtime.types import Picture


class Facts:
    """Collects what does not change in a run, once.

    Args:
        about: of the run, from its user.
    """

    def __init__(self, about: Dict[str, Any]) -> None:
        self.about = clean(about)
        self._hashes: Dict[str, List[Dict[str, str]]] = {}

    def prepare(self, pipeline: Optional[Pipeline]) -> None:
        """Hashes the engine at the beginning, because its file may be replaced while it runs."""
        if pipeline is not None:
            self._files(pipeline.detector.model.path)

    def of_engine(self, detector: Detector) -> Dict[str, Any]:
        """The file of an engine with its hashes, how it is read, and how it runs."""
        model, options = detector.model, detector.options
        return {
            "path": os.path.abspath(model.path), "files": self._files(model.path),
            "spec": asdict(model.spec), "chosen_wh": model.chosen_wh, "batch": options.batch,
            "threads": options.threads or cores(), "streams": options.streams,
            "backend": detector.backend.name, "description": redact(detector.backend.description),
            "thresholds": {**asdict(options.thresholds), "multi_label": options.thresholds.per_box_classes},
            "passport": clean(_passport(model.path)),
        }  # fmt: skip

    def _files(self, path: str) -> List[Dict[str, str]]:
        """Name and SHA-256 of the model's file, and of those that hold its weights."""
        if path not in self._hashes:
            paths = [path, *(onnx_file.external_files(path) if path.endswith(".onnx") else ())]
            self._hashes[path] = [{"name": os.path.basename(file), "sha256": hash_file(file)} for file in paths]
        return self._hashes[path]


def _passport(path: str) -> Any:
    """The passport of a plan; None without one, the error as text if it is damaged."""
    try:
        found = passport.read_passport(Path(path))
    except EdgeError as error:
        return str(error)
    return found and asdict(found)


def of_picture(picture: Picture) -> Dict[str, Any]:
    """Format, size and colours of a picture."""
    pixels = as_pixels(picture)
    return {
        "format": pixels.format, "width": pixels.width, "height": pixels.height,
        "matrix": pixels.matrix, "full_range": pixels.full_range,
    }  # fmt: skip


def of_rules(rules: Rules) -> Dict[str, Any]:
    """The settings of a stream: thresholds, classes, tracking with lines and zones."""
    stream = rules.stream
    return {
        "conf": stream.conf, "class_conf": dict(stream.class_conf), "classes": stream.classes,
        "track": asdict(stream.track) if stream.track else None,  # type: ignore[arg-type]
    }  # fmt: skip


def of_software() -> Dict[str, Any]:
    """Versions of what decodes and computes."""
    found: Dict[str, Any] = {"edge_runtime": __version__, "python": platform.python_version(), "numpy": np.__version__}
    if pyav.reason() is None:
        av = pyav.load_av()
        versions = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
        found.update(av=av.__version__, **versions)
    loaded = sys.modules.get("cv2")
    return {**found, **({"opencv": loaded.__version__} if loaded else {})}


def of_machine() -> Dict[str, Any]:
    """The processor's kind, and what is known of a board."""
    here = asdict(passport.this_platform())
    return {"machine": platform.machine(), "system": platform.platform(), "cores": cores(), **here}


def hash_file(path: str) -> str:
    """SHA-256 of a file, 64 hex digits; "" if it cannot be read."""
    try:
        return external.hash_files(path)
    except OSError:
        return ""


def clean(value: Any) -> Any:
    """Plain data without secrets in its texts, and with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {redact(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    return redact(str(value))
