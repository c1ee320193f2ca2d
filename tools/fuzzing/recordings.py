"""A small recording of a black box, made by hand: two frames of pixels, one with outputs and the state of a tracker."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from edge_runtime.blackbox.recording import Recording
from edge_runtime.blackbox.writing import FORMAT, VERSION
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line
from edge_runtime.track.tracker import Tracker
from fuzzing import good

PICTURE = {"format": "bgr24", "width": 4, "height": 2, "matrix": "bt601", "full_range": False}
OPTIONS = TrackOptions(lines=(Line("door", ((0.0, 0.0), (1.0, 1.0))),))


def recordings() -> List[bytes]:
    """The content of the file."""
    packed, outputs = io.BytesIO(), io.BytesIO()
    np.savez(outputs, np.zeros((7, 84), np.float32))
    parts = {
        "results.jsonl": b"".join(_line(_result(number)) for number in range(2)),
        "frames.jsonl": b"".join(_line(_frame(number)) for number in range(2)),
        "log.jsonl": b'{"time_s": 1.0, "event": "fault"}\n', "status.jsonl": b'{"time_s": 1.0}\n',
        "pixels/0.bin": bytes(24), "pixels/1.bin": bytes(24), "outputs/0.npz": outputs.getvalue(),
    }  # fmt: skip
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
        file.writestr("manifest.json", json.dumps(_manifest(parts)))
    return [packed.getvalue()]


def read(path: Path) -> Any:
    """Reads everything in a recording."""
    recording = Recording(str(path))
    numbers = range(len(recording.frames))
    for frame in recording.frames:
        recording.stream_of(frame)
        if frame.tracks:
            Tracker.restored(frame.tracks, OPTIONS)
    return [recording.pixels(number) for number in numbers], [recording.outputs(number) for number in numbers]


def _manifest(parts: Dict[str, bytes]) -> Dict[str, Any]:
    engine = {
        "path": "a.onnx", "files": [{"name": "a.onnx", "sha256": "0" * 64}], "spec": asdict(good.SPEC),
        "chosen_wh": None, "batch": 1, "threads": 1, "streams": 0, "backend": "onnxruntime", "description": "here",
        "thresholds": asdict(Thresholds()),
    }  # fmt: skip
    hashes = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in parts.items()}
    settings = {"conf": 0.3, "class_conf": {"cat": 0.5}, "classes": ["cat"], "track": asdict(OPTIONS)}
    return {
        "format": FORMAT, "version": VERSION, "streams": [{"name": "gate", "parts": [], "why": ""}],
        "engines": [engine], "settings": [settings], "parts": hashes,
    }  # fmt: skip


def _result(number: int) -> Dict[str, Any]:
    return {"source": "gate", "frame": number, "timestamp_s": number / 30, "width": 4, "height": 2, "latency_ms": 1.0,
            "stage_ms": {"inference": 0.5}, "detections": []}  # fmt: skip


def _frame(number: int) -> Dict[str, Any]:
    return {
        "stream": 0, "part": None, "shown_s": None, "picture": PICTURE, "pixels": "", "tensor": "",
        "restarts": 0, "source": 0, "run": number, "engine": 0, "settings": 0, "kept": True, "outputs": number == 0,
        "found": [[1.0, 0.0, 2.0, 1.0, 0.9, 1]], "tracks": {} if number else Tracker(OPTIONS).state(),
    }  # fmt: skip


def _line(row: Dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"
