"""A real video of real objects, recorded with the engine that comes along."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Optional

import cv2
import numpy as np
import pytest

from edge_runtime.blackbox.recorder import BlackBox
from edge_runtime.detect.detector import Detector
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.model import shipped
from edge_runtime.sources.demo import PHOTOS
from tests.tiny import boxes_v8, write_onnx

ENGINE = shipped.shipped_folder() / "yolo_nano_voc_int8.onnx"


def tiny(folder: Path) -> Path:
    """A network that needs no time: one box of 64 x 32 pixels in each picture of 320 x 240."""
    path = folder / "tiny.onnx"
    if not path.exists():
        write_onnx(path, {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    return path


def open_engine(path: Path) -> Detector:
    said: Dict[str, Any] = {} if path == ENGINE else {"family": "yolo_v8", "labels": "cat,person,dog"}
    return Detector.open(path, threads=1, backend="onnxruntime", conf=0.1, **said)


def views(count: int) -> List[np.ndarray]:
    """A person who moves through the picture: a view of a photo that goes to the right."""
    photo = cv2.resize(cv2.imread(str(PHOTOS / "astronaut.jpg")), (480, 360))
    return [np.ascontiguousarray(photo[20:260, 4 * i % 120 :][:, :320]) for i in range(count)]


def write_video(
    path: Path, count: int, codec: str = "libx264", options: Optional[Dict[str, str]] = None, still: bool = False
) -> Path:
    """25 frames a second. H.264 has B-frames and a key picture in each 10. In a still one nothing moves."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        if codec == "libx264":
            stream.codec_context.options = options or {"x264-params": "bframes=2:keyint=10"}
        for number, view in enumerate(views(1) * count if still else views(count)):
            frame = av.VideoFrame.from_ndarray(view, format="bgr24").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def record(folder: Path, source: Any, engine: Optional[Path] = None, **more: Any) -> Path:
    """Runs a pipeline to its end, with results in out.jsonl, and returns its recording."""
    box = BlackBox(folder / "last.edge", **more.pop("box", {}))
    with open_engine(engine or tiny(folder)) as detector, Pipeline(
        detector, source, str(folder / "out.jsonl"), record=box, warmup=0, **more
    ) as pipeline:
        pipeline.run()
    return box.save()


def lines(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def as_text(rows: List[Dict[str, Any]]) -> str:
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
