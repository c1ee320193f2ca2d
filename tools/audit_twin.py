"""Another program: preparation by OpenCV, ONNX Runtime, decoding and NMS by numpy. Every step can be made wrong.

It shares no code with the package, so that edge-audit is not asked about its own mistakes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import onnxruntime

Array = Any


@dataclass(frozen=True)
class Twin:
    """One network and how it is used.

    Attributes:
        head: "v8", "yolox" or "v3".
        wrong: names of steps that are done otherwise, with their values.
    """

    path: str
    size: int
    head: str
    fit: str = "letterbox"
    bgr: bool = False
    divisor: float = 255.0
    anchors: Tuple[Any, ...] = ()
    pad: int = 114
    conf: float = 0.25
    iou: float = 0.45
    most: int = 300
    wrong: Dict[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> Twin:
        own = {key: changes.pop(key) for key in list(changes) if key in self.__dataclass_fields__}
        return replace(self, **own, wrong=changes)


def prepare(twin: Twin, image: Array) -> Tuple[Array, Tuple[float, float, float, float]]:
    """The input (1, 3, H, W) and scale_x, scale_y, pad_x, pad_y."""
    height, width = image.shape[:2]
    size, how = twin.size, {"interpolation": twin.wrong.get("interpolation", cv2.INTER_LINEAR)}
    if twin.fit == "stretch":
        canvas, place = cv2.resize(image, (size, size), **how), (size / width, size / height, 0, 0)
    elif twin.fit == "crop":
        scale = size / min(height, width)
        wide, high = round(width * scale), round(height * scale)
        x, y = (wide - size) // 2, (high - size) // 2
        canvas = cv2.resize(image, (wide, high), **how)[y : y + size, x : x + size]
        place = (scale, scale, -x, -y)
    else:
        scale = size / max(height, width)
        wide, high = round(width * scale), round(height * scale)
        x, y = ((size - wide) // 2, (size - high) // 2) if twin.fit == "letterbox" else (0, 0)
        canvas = np.full((size, size, 3), twin.pad, np.uint8)
        canvas[y : y + high, x : x + wide] = cv2.resize(image, (wide, high), **how)
        place = (scale, scale, x, y)
    ordered = canvas if twin.bgr else canvas[..., ::-1]
    tensor = np.float32(ordered).transpose(2, 0, 1)[None] / np.float32(twin.divisor)
    return np.ascontiguousarray(tensor * np.float32(twin.wrong.get("gain", 1))), place


def decode(twin: Twin, outputs: Sequence[Array]) -> Tuple[Array, Array]:
    """Boxes (n, 4) as centre and size in pixels of the input, scores (n, classes)."""
    if twin.head == "v8":
        rows = outputs[0][0].T
        scores = _sigmoid(rows[:, 4:]) if "sigmoid" in twin.wrong else rows[:, 4:]
        return rows[:, :4], scores
    if twin.head == "yolox":
        return _yolox(twin, outputs[0][0])
    return _v3(twin, outputs)


def _yolox(twin: Twin, rows: Array) -> Tuple[Array, Array]:
    cells, strides = [], []
    for stride, said in zip((8, 16, 32), twin.wrong.get("strides", (8, 16, 32))):
        side = twin.size // stride
        y, x = np.mgrid[:side, :side]
        cells.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full((side * side, 1), said))
    grid, step = np.concatenate(cells), np.concatenate(strides)
    boxes = np.hstack([(rows[:, :2] + grid) * step, np.exp(rows[:, 2:4]) * step])
    return boxes, rows[:, 5:] * (1 if "no_objectness" in twin.wrong else rows[:, 4:5])


def _v3(twin: Twin, outputs: Sequence[Array]) -> Tuple[Array, Array]:
    boxes, scores = [], []
    for output, anchors in zip(sorted(outputs, key=lambda o: -o.shape[-1]), twin.anchors):
        side = output.shape[-1]
        stride = twin.size / side
        t = output[0].reshape(len(anchors), -1, side, side).transpose(0, 2, 3, 1)
        y, x = np.mgrid[:side, :side]
        centre = (2 * _sigmoid(t[..., :2]) - 0.5 + np.stack([x, y], -1)) * stride
        sides = np.exp(t[..., 2:4]) * np.array(anchors)[:, None, None]
        boxes.append(np.concatenate([centre, sides], -1).reshape(-1, 4))
        scores.append((_sigmoid(t[..., 4:5]) * _sigmoid(t[..., 5:])).reshape(-1, t.shape[-1] - 5))
    return np.concatenate(boxes), np.concatenate(scores)


def finish(twin: Twin, outputs: Sequence[Array], place: Sequence[float], image: Array) -> Array:
    """Rows (n, 6) x1, y1, x2, y2, score, class in pixels of the picture."""
    boxes, scores = decode(twin, outputs)
    classes = scores.argmax(1)
    best = scores.max(1)
    kept = np.flatnonzero(best > twin.conf)
    kept = kept[np.argsort(-best[kept], kind="stable")]
    rows = np.column_stack([boxes[kept], best[kept], classes[kept]])
    half = rows[:, 2:4] / 2
    rows[:, :4] = np.hstack([rows[:, :2] - half, rows[:, :2] + half])
    rows = _suppressed(rows, twin)[: twin.most]
    rows[:, :4] = _back(rows[:, :4], place, twin)
    high, wide = image.shape[:2]
    rows[:, :4] = np.clip(rows[:, :4], 0, [wide, high, wide, high])
    rows[:, 5] += twin.wrong.get("class_offset", 0)
    return rows


def _back(corners: Array, place: Sequence[float], twin: Twin) -> Array:
    scale_x, scale_y, pad_x, pad_y = place
    if "not_scaled" in twin.wrong:
        return corners
    pad = np.zeros(4) if "padding_left" in twin.wrong else np.array([pad_x, pad_y] * 2)
    return (corners - pad) / np.array([scale_x, scale_y] * 2)


def _suppressed(rows: Array, twin: Twin) -> Array:
    if "no_nms" in twin.wrong:
        return rows
    kept: List[int] = []
    for number in range(len(rows)):
        others = rows[[k for k in kept if "agnostic" in twin.wrong or rows[k, 5] == rows[number, 5]]]
        if not len(others) or _iou(rows[number], others).max() <= twin.iou:
            kept.append(number)
    return rows[kept]


def _iou(row: Array, others: Array) -> Array:
    low, high = np.maximum(row[:2], others[:, :2]), np.minimum(row[2:4], others[:, 2:4])
    both = np.clip(high - low, 0, None).prod(1)
    area = (row[2:4] - row[:2]).prod() + (others[:, 2:4] - others[:, :2]).prod(1)
    return both / (area - both)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def run(twin: Twin, pictures: Sequence[Path]) -> Dict[str, Dict[str, Array]]:
    """By name of picture: input, outputs by name, and boxes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 3
    session = onnxruntime.InferenceSession(twin.path, options, providers=["CPUExecutionProvider"])
    names, found = [output.name for output in session.get_outputs()], {}
    for path in pictures:
        image = cv2.imread(str(path))
        tensor, place = prepare(twin, image)
        outputs = session.run(names, {session.get_inputs()[0].name: tensor})
        rows = finish(twin, outputs, place, image)
        found[path.name] = {"input": tensor, **dict(zip(names, outputs)), "boxes": rows}
    return found


def write(path: Path, found: Dict[str, Dict[str, Array]], kept: Optional[Sequence[str]] = None) -> Path:
    """Writes what was found by the suffix: .npz, .jsonl, or .json as COCO results.

    Args:
        kept: names to keep of `input` and `boxes` in an .npz; outputs are always kept.
    """
    if path.suffix == ".npz":
        dropped = {"input", "boxes"} - set(kept or ())
        np.savez(path, **{f"{picture}/{name}": array for picture, arrays in found.items()
                          for name, array in arrays.items() if name not in dropped})  # fmt: skip
    elif path.suffix == ".jsonl":
        lines = [{"source": picture, "detections": [
            {"class_id": int(row[5]), "confidence": float(row[4]), "box": [float(v) for v in row[:4]]}
            for row in arrays["boxes"]]} for picture, arrays in found.items()]  # fmt: skip
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    else:
        rows = [{"image_id": Path(picture).stem, "category_id": int(row[5]), "score": float(row[4]),
                 "bbox": [float(row[0]), float(row[1]), float(row[2] - row[0]), float(row[3] - row[1])]}
                for picture, arrays in found.items() for row in arrays["boxes"]]  # fmt: skip
        path.write_text(json.dumps(rows), encoding="utf-8")
    return path
