"""Inference runtime for object detectors on NVIDIA Jetson.

    from edge_runtime import Detector

    detector = Detector.open("model.onnx")
    detections = detector(image)  # (H, W, 3) uint8 BGR -> boxes in image pixels

Names are loaded when they are first used, so that importing the package costs nothing and `edge-doctor` can run where
numpy is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from edge_runtime.detect.detector import Detector
    from edge_runtime.errors import EdgeError
    from edge_runtime.imaging.drawing import draw
    from edge_runtime.loop.pipeline import Pipeline
    from edge_runtime.types import Detections

__version__ = "0.1.0"
__all__ = ["Detections", "Detector", "EdgeError", "Pipeline", "draw"]

_HOME = {
    "Detections": "types",
    "Detector": "detect.detector",
    "EdgeError": "errors",
    "Pipeline": "loop.pipeline",
    "draw": "imaging.drawing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted([*globals(), *__all__])
