"""The same pictures through edge-detect, edge-calibrate and edge-eval in every row, and how far the boxes differ."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from oldlibs.environment import ROOT, ROWS, Environment, RowError

FLOAT, INT8 = "engines/yolo_nano_voc.onnx", "engines/yolo_nano_voc_int8.onnx"
SHARED = ROOT.parent / "shared"
SAMPLES = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png")  # of scikit-image
EVAL_IMAGES = 50
Box = Tuple[str, float, List[float]]  # label, confidence, xyxy in pixels
Boxes = Dict[str, List[Box]]  # by name of the picture


@dataclass
class Difference:
    """How far boxes are from those of another row.

    Attributes:
        pixels, confidence: the largest of boxes that both have.
        alone: the highest confidence of a box that only one has; 0 for none.
    """

    pixels: float = 0.0
    confidence: float = 0.0
    alone: float = 0.0

    def __str__(self) -> str:
        alone = f", one has a box of {self.alone:.2f} more" if self.alone else ""
        return f"{self.pixels:.2f} px, {self.confidence:.4f}{alone}"


def collect(env: Environment) -> Dict[str, Any]:
    """Boxes of every command, and the figure of edge-eval where its pictures are here.

    Raises:
        RowError: a command failed.
    """
    pictures, found = _pictures(env), {}
    for engine in (FLOAT, INT8):
        for backend in ("onnxruntime", "openvino"):
            found[f"edge-detect {Path(engine).stem}, {backend}"] = _detect(env, engine, backend, pictures)
    made = str(env.folder / "made_int8.onnx")
    _run(env, "edge-calibrate", FLOAT, "--images", str(pictures), "-o", made, "--no-verdict", "--method", "minmax")
    found["edge-calibrate --method minmax, onnxruntime"] = _detect(env, made, "onnxruntime", pictures)
    figures = {}
    if (SHARED / "data" / "voc2007").is_dir():
        data = ["--data", str(SHARED / "data" / "voc2007"), "--split", "eval", "--max-images", str(EVAL_IMAGES)]
        said = _run(env, "edge-eval", "--engine", INT8, *data, "--backend", "onnxruntime", "--json")
        figures = {name: json.loads(said)[name] for name in ("voc07_11pt", "voc_allpoint")}
    return {"boxes": found, "figures": figures}


def compare(ours: Boxes, theirs: Boxes) -> Difference:
    """The largest differences over all pictures; boxes belong together by class and overlap."""
    worst = Difference()
    for picture in sorted(set(ours) | set(theirs)):
        left = list(theirs.get(picture, []))
        for box in ours.get(picture, []):
            twin = max(left, key=lambda other: _overlap(box, other), default=None)
            if twin is None or _overlap(box, twin) < 0.5:
                worst.alone = max(worst.alone, box[1])
                continue
            left.remove(twin)
            worst.pixels = max(worst.pixels, *(abs(a - b) for a, b in zip(box[2], twin[2])))
            worst.confidence = max(worst.confidence, abs(box[1] - twin[1]))
        worst.alone = max([worst.alone, *(box[1] for box in left)])
    return worst


def _overlap(one: Sequence[Any], other: Sequence[Any]) -> float:
    """IoU, 0 for two classes."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = one[2], other[2]
    inside = max(0.0, min(ax2, bx2) - max(ax1, bx1)) * max(0.0, min(ay2, by2) - max(ay1, by1))
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inside
    return inside / union if union > 0 and one[0] == other[0] else 0.0


def _pictures(env: Environment) -> Path:
    """A folder with the shared photographs, or else those of scikit-image."""
    folder = ROWS / "pictures"
    if not folder.is_dir():
        samples = next(env.folder.glob(".venv/lib/python3*/site-packages/skimage")) / "data"
        there = sorted((SHARED / "images").glob("*.jpg")) or [samples / name for name in SAMPLES]
        new = folder.with_suffix(".new")
        new.mkdir(parents=True, exist_ok=True)
        for path in there:
            shutil.copy(path, new)
        new.rename(folder)
    return folder


def _detect(env: Environment, engine: str, backend: str, pictures: Path) -> Boxes:
    where = ["--engine", engine, "--backend", backend, "--images", str(pictures), "--threads", "1"]
    return dict(_rows(_run(env, "edge-detect", *where, "--output", "-").splitlines()))


def _rows(lines: Sequence[str]) -> Iterator[Tuple[str, List[Box]]]:
    for line in lines:
        row = json.loads(line)
        boxes: List[Box] = [(found["label"], found["confidence"], found["box"]) for found in row["detections"]]
        yield Path(row["path"]).name, boxes


def _run(env: Environment, command: str, *arguments: str, cwd: Optional[Path] = None) -> str:
    module = f"edge_runtime.cli.{command.split('-')[1]}"
    call = [str(env.python), "-m", module, *arguments]
    done = subprocess.run(call, cwd=ROOT, env=env.environ(), capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise RowError(f"{command} failed: {' '.join(done.stderr.split())[-500:]}")
    return done.stdout
