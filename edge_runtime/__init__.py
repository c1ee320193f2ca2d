"""Inference runtime for object detectors on NVIDIA Jetson.

    from edge_runtime import Detector, Pipeline

    detector = Detector.open("model.onnx", conf=0.4)
    detector("bus.jpg").save("found.jpg")           # a path, an array (H, W, 3) uint8 BGR, a Pillow image, or a list
    for result in Pipeline(detector, "street.mp4"):  # a file, a folder, a camera number, a stream
        print(result.frame.index, result.detections)

Names are loaded when they are first used, so that importing the package costs nothing and `edge-doctor` can run where
numpy is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from edge_runtime.backends import BackendOptions
    from edge_runtime.detect.detector import Detector
    from edge_runtime.errors import (
        BackendUnavailable,
        BoardError,
        DatasetError,
        DeviceError,
        DownloadError,
        EdgeError,
        ModelError,
        SinkError,
        SourceError,
        SpecError,
        UsageError,
    )
    from edge_runtime.events.options import EventOptions
    from edge_runtime.imaging.drawing import draw
    from edge_runtime.loop.pipeline import Pipeline
    from edge_runtime.loop.stream import Stream
    from edge_runtime.loop.targets import open_sink, open_source
    from edge_runtime.model.recipe import ModelFlags
    from edge_runtime.model.thresholds import Thresholds
    from edge_runtime.sinks import EventSink, Sink, SinkOptions, VideoOptions
    from edge_runtime.sources import Source, SourceOptions
    from edge_runtime.track.options import TrackOptions
    from edge_runtime.track.places import Line, Zone
    from edge_runtime.track.tracker import Tracker
    from edge_runtime.tuning.tuner import Tuned, tune
    from edge_runtime.types import Detection, Detections, Frame, Pixels, Result
    from edge_runtime.types.events import Event

__version__ = "0.1.0"
__all__ = [
    "BackendOptions", "BackendUnavailable", "BoardError", "DatasetError", "Detection", "Detections", "Detector",
    "DeviceError", "DownloadError", "EdgeError", "Event", "EventOptions", "EventSink", "Frame", "Line", "ModelError",
    "ModelFlags", "Pipeline", "Pixels", "Result", "Sink", "SinkError", "SinkOptions", "Source", "SourceError",
    "SourceOptions", "SpecError", "Stream", "Thresholds", "TrackOptions", "Tracker", "Tuned", "UsageError",
    "VideoOptions", "Zone", "draw", "open_sink", "open_source", "tune",
]  # fmt: skip

_ROOMS = {
    "backends": "BackendOptions",
    "detect.detector": "Detector",
    "errors": "BackendUnavailable BoardError DatasetError DeviceError DownloadError EdgeError ModelError SinkError"
    " SourceError SpecError UsageError",
    "events.options": "EventOptions",
    "imaging.drawing": "draw",
    "loop.pipeline": "Pipeline",
    "loop.stream": "Stream",
    "loop.targets": "open_sink open_source",
    "model.recipe": "ModelFlags",
    "model.thresholds": "Thresholds",
    "sinks": "EventSink Sink SinkOptions VideoOptions",
    "sources": "Source SourceOptions",
    "track.options": "TrackOptions",
    "track.places": "Line Zone",
    "track.tracker": "Tracker",
    "tuning.tuner": "Tuned tune",
    "types": "Detection Detections Frame Pixels Result",
    "types.events": "Event",
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
