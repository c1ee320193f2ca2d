"""edge-detect without arguments: shows what it does with the shipped model and photographs, and what to type next."""

from __future__ import annotations

import argparse
from typing import Any, Dict

from edge_runtime.detect.detector import Detector
from edge_runtime.detect.engines import find_engine
from edge_runtime.imaging.image_file import read_image
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.model import shipped
from edge_runtime.sources.demo import PHOTOS

CONF, SECONDS = 0.5, 3.0
HEAD = "edge-detect without arguments shows a demo. It needs no camera and no network, and writes no file."
NEXT = f"""
What to type next:
  edge-detect --engine {shipped.INT8} --camera 0 --show
  edge-detect --engine {shipped.INT8} --video street.mp4 --output found.mp4
  edge-zoo list
  edge-detect --help"""


def show(args: argparse.Namespace) -> int:
    """Prints what the small model finds in the shipped photographs, and how fast it is on the demo's clip."""
    print(HEAD)
    with Detector.open(find_engine(shipped.INT8), conf=CONF) as detector:
        print(f"model: {shipped.INT8}, {detector.backend.description}")
        for photo in sorted(PHOTOS.glob("*.jpg")):
            print(f"{photo.name}: {_found(detector, str(photo))}")
        speed = Pipeline(detector, "demo", duration_s=SECONDS).run()
    print(f"{speed['fps']:.0f} frames per second of a 1280x720 clip, {_milliseconds(speed):.1f} ms each in the model")
    print(NEXT)
    return 0


def _found(detector: Detector, photo: str) -> str:
    boxes = detector(read_image(photo)).to_dict()
    return ", ".join(f"{box['label']} {box['confidence']:.2f} at {[round(v) for v in box['box']]}" for box in boxes)


def _milliseconds(summary: Dict[str, Any]) -> float:
    return float(summary["stage_ms"]["inference"]["p50"])
