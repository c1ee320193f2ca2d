"""What exporters of face detectors and of Yolo-FastestV2 write, each with one object: names, shapes, order, activation.

The object is put where the exporters' own post-processing would find it. None of our decoders is used.
"""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import numpy as np

BOX = (100.0, 150.0, 300.0, 400.0)  # of the object, in pixels of the input
LOW, SMALL = (100.0, 180.0, 300.0, 340.0), (30.0, 40.0, 70.0, 90.0)  # for inputs of 352, and for smaller ones
SCORE, NOTHING = 0.9, 0.01
Outputs = Dict[str, np.ndarray]


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def middle(box: Sequence[float]) -> Tuple[float, float, float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]


def filled(rows: int, columns: int, value: float) -> np.ndarray:
    return np.full((1, rows, columns), value, np.float32)


def scrfd(side: int = 640, strides: Sequence[int] = (8, 16, 32), anchors: int = 2, landmarks: bool = True) -> Outputs:
    """score_8 ... [1, anchors * n, 1], bbox_8 ... [., 4], kps_8 ... [., 10]; the object at cell (6, 8) of stride 32."""
    kinds = (("score", 1), ("bbox", 4), ("kps", 10))[: 3 if landmarks else 2]
    counts = {stride: anchors * (-(-side // stride)) ** 2 for stride in strides}
    outputs = {f"{kind}_{s}": filled(counts[s], k, 1.0) for kind, k in kinds for s in strides}
    row = (8 * (side // 32) + 6) * anchors + anchors - 1
    for name in (name for name in outputs if name.startswith("score")):
        outputs[name][:] = NOTHING
    outputs["score_32"][0, row] = SCORE
    outputs["bbox_32"][0, row] = [(192 - BOX[0]) / 32, (256 - BOX[1]) / 32, (BOX[2] - 192) / 32, (BOX[3] - 256) / 32]
    return outputs


def without_batch(outputs: Outputs) -> Outputs:
    """InsightFace's own files: [12800, 1], named by numbers."""
    return {str(448 + 23 * number): array[0] for number, array in enumerate(outputs.values())}


def as_maps(outputs: Outputs, anchors: int = 2, raw: bool = False) -> Outputs:
    """[1, anchors * K, h, w], as they leave the last convolution; scores before their sigmoid if `raw`."""
    maps = {}
    for name, array in outputs.items():
        side = int((array.shape[1] // anchors) ** 0.5)
        values = np.log(array / (1 - array)) if raw and name.startswith("score") else array
        maps[name] = values.reshape(1, side, side, -1).transpose(0, 3, 1, 2).copy()
    return maps


def yunet(landmarks: bool = True) -> Outputs:
    """cls_8, cls_16, cls_32, then obj_, bbox_, kps_, at 640; the object at cell (6, 8) of stride 32."""
    kinds = (("cls", 1, 0.05), ("obj", 1, NOTHING), ("bbox", 4, 0.5), ("kps", 10, 0.5))[: 4 if landmarks else 3]
    outputs = {f"{kind}_{s}": filled((640 // s) ** 2, k, value) for kind, k, value in kinds for s in (8, 16, 32)}
    x, y, w, h = middle(BOX)
    row = 8 * 20 + 6
    outputs["cls_32"][0, row], outputs["obj_32"][0, row] = 0.95, SCORE**2 / 0.95
    outputs["bbox_32"][0, row] = [x / 32 - 6, y / 32 - 8, np.log(w / 32), np.log(h / 32)]
    return outputs


def deltas(boxes: np.ndarray, row: int, prior: Sequence[float], box: Sequence[float]) -> None:
    """Writes the object, relative to the prior `[cx, cy, w, h]` in pixels, with the variances 0.1 and 0.2."""
    x, y, w, h = middle(box)
    boxes[0, row, :2] = (x - prior[0]) / prior[2] / 0.1, (y - prior[1]) / prior[3] / 0.1
    boxes[0, row, 2:] = np.log(w / prior[2]) / 0.2, np.log(h / prior[3]) / 0.2


def two_scores(rows: int, row: int, softmaxed: bool) -> np.ndarray:
    """Background and face in every row."""
    scores = np.tile(np.float32([1 - NOTHING, NOTHING]), (1, rows, 1))
    scores[0, row] = 1 - SCORE, SCORE
    return scores if softmaxed else np.log(scores) + np.float32(3)  # any constant is lost in the softmax


def retinaface(side: int = 640, softmaxed: bool = True, landmarks: bool = True) -> Outputs:
    """Two priors per cell of strides 8, 16, 32. The object is at cell (6, 8) of stride 32, beside the prior of 256."""
    cells = [-(-side // stride) for stride in (8, 16, 32)]
    rows = 2 * sum(cell**2 for cell in cells)
    row = rows - 2 * cells[2] ** 2 + 2 * (8 * cells[2] + 6)
    boxes = np.random.default_rng(0).normal(0, 0.5, (1, rows, 4)).astype(np.float32)
    deltas(boxes, row, (6.5 * 32, 8.5 * 32, 256, 256), BOX)
    outputs = {"output": boxes, "outputt": two_scores(rows, row, softmaxed), "outputtt": filled(rows, 10, 0.1)}
    return outputs if landmarks else {name: outputs[name] for name in ("output", "outputt")}


def decoded(outputs: Outputs) -> Outputs:
    """The same with boxes that the network itself decodes, corners in 0..1, near the priors of 640 x 640."""
    corners = []
    for stride in (8, 16, 32):
        y, x = np.divmod(np.arange((640 // stride) ** 2).repeat(2), 640 // stride)
        centre = (np.stack([x, y], axis=1) + 0.5) * stride / 640
        corners.append(np.concatenate([centre - 0.02, centre + 0.02], axis=1))
    return {**outputs, "output": np.concatenate(corners)[None].astype(np.float32)}


def slim(softmaxed: bool = True) -> Outputs:
    """Slim and RFB with landmarks, at 320 x 320: 3, 2, 2, 3 priors per cell of strides 8 to 64."""
    rows = 3 * 1600 + 2 * 400 + 2 * 100 + 3 * 25
    row = 3 * 1600 + 2 * 400 + 2 * (2 * 10 + 1) + 1
    boxes = np.random.default_rng(1).normal(0, 0.5, (1, rows, 4)).astype(np.float32)
    deltas(boxes, row, (1.5 * 32, 2.5 * 32, 96, 96), SMALL)
    return {"output0": boxes, "590": two_scores(rows, row, softmaxed), "591": filled(rows, 10, 0.1)}


def ultraface(softmaxed: bool = True) -> Outputs:
    """At 320 x 240: cells of 40 x 30, 20 x 15, 10 x 8 and 5 x 4; the object at cell (1, 1), the third prior of 64."""
    row = 3 * 1200 + 2 * 300 + 2 * 80 + 3 * (1 * 5 + 1) + 2
    boxes = np.random.default_rng(2).normal(0, 0.5, (1, 4420, 4)).astype(np.float32)
    deltas(boxes, row, (1.5 / 5 * 320, 1.5 / 4 * 240, 256, 240), SMALL)  # no prior is higher than the picture
    return {"scores": two_scores(4420, row, softmaxed), "boxes": boxes}


def ultraface_like_corners() -> Tuple[Outputs, Tuple[float, ...]]:
    """Deltas that could be corners in 0..1 too, in every row, and the box of the object: cell (9, 7), prior of 48."""
    boxes, row = np.tile(np.float32([0.2, 0.3, 0.6, 0.8]), (1, 4420, 1)), 3 * 1200 + 2 * (7 * 20 + 9) + 1
    x, y = 9.5 * 16 + 0.2 * 0.1 * 48, 7.5 * 16 + 0.3 * 0.1 * 48
    w, h = 48 * np.exp(0.6 * 0.2), 48 * np.exp(0.8 * 0.2)
    box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    return {"scores": two_scores(4420, row, True), "boxes": boxes}, box


def blazeface(side: int = 128, parts: bool = False) -> Outputs:
    """Cells of 16 x 16 with two rows each, then 8 x 8 with six. The object is at cell (3, 4) of the coarse level."""
    stride, row = side // 8, 512 + (4 * 8 + 3) * 6 + 2
    boxes, scores = filled(896, 16, 10.0), filled(896, 1, logit(NOTHING))
    x, y, w, h = middle(SMALL)
    boxes[0, row, :4], scores[0, row] = (x - 3.5 * stride, y - 4.5 * stride, w, h), logit(SCORE)
    if not parts:
        return {"regressors": boxes, "classificators": scores}
    return {"c8": scores[:, :512], "c16": scores[:, 512:], "r8": boxes[:, :512], "r16": boxes[:, 512:]}


def full_range() -> Outputs:
    """At 192 x 192: one row for each cell of stride 4; the object at cell (12, 16)."""
    boxes, scores = filled(2304, 16, 10.0), filled(2304, 1, logit(NOTHING))
    x, y, w, h = middle(SMALL)
    boxes[0, 16 * 48 + 12, :4], scores[0, 16 * 48 + 12] = (x - 50, y - 66, w, h), logit(SCORE)
    return {"reshaped_regressor_face_4": boxes, "reshaped_classifier_face_4": scores}


def yolo_v5_face() -> Outputs:
    """Decoded rows [1, 25200, 16] at 640: box, objectness, five points in pixels, class."""
    rows = filled(25200, 16, 320.0)
    rows[0, :, 2:4], rows[0, :, 4], rows[0, :, 15] = 10, 0.001, 0.99
    rows[0, 9000, :5], rows[0, 9000, 15] = (*middle(BOX), 0.95), SCORE / 0.95
    return {"output": rows}


def yolo_v5_face_raw() -> Outputs:
    """[1, 3, h, w, 16] of three levels; the object at cell (6, 8) of stride 32, the anchor 231 x 300."""
    outputs = {f"stride_{s}": np.full((1, 3, 640 // s, 640 // s, 16), -6, np.float32) for s in (8, 16, 32)}
    x, y, w, h = middle(BOX)
    t = [(x / 32 - 6 + 0.5) / 2, (y / 32 - 8 + 0.5) / 2, (w / 231) ** 0.5 / 2, (h / 300) ** 0.5 / 2]
    outputs["stride_32"][0, 1, 8, 6, :5] = [logit(v) for v in (*t, 0.95)]
    outputs["stride_32"][0, 1, 8, 6, 15] = logit(SCORE / 0.95)
    return outputs


def fastest_v2(joined: bool = False, activated: bool = False, classes: int = 80) -> Outputs:
    """Yolo-FastestV2 at 352: per level maps of 12, 3 and C channels; the object at cell (6, 8) of stride 32, anchor 1.

    It is the last class. `joined` has one map per level.
    """
    outputs: Outputs = {}
    for stride in (16, 32):
        side = 352 // stride
        reg, obj, ranks = (np.zeros((1, k, side, side), np.float32) for k in (12, 3, classes))
        obj[:] = logit(NOTHING)
        if stride == 32:
            x, y, w, h = middle(LOW)
            t = [(x / 32 - 6 + 0.5) / 2, (y / 32 - 8 + 0.5) / 2, (w / 131.57) ** 0.5 / 2, (h / 214.55) ** 0.5 / 2]
            reg[0, 4:8, 8, 6], obj[0, 1, 8, 6] = [logit(v) for v in t], logit(0.95 if classes > 1 else SCORE)
            ranks[0, -1, 8, 6] = np.log((classes - 1) * (SCORE / 0.95) / (1 - SCORE / 0.95)) if classes > 1 else 0
        if activated:
            reg, obj = 1 / (1 + np.exp(-reg)), 1 / (1 + np.exp(-obj))
            ranks = np.exp(ranks) / np.exp(ranks).sum(axis=1, keepdims=True)
        else:
            ranks += np.float32(-4)  # any constant is lost in the softmax
        parts: List[np.ndarray] = [np.concatenate([reg, obj, ranks], axis=1)] if joined else [reg, obj, ranks]
        outputs.update({f"{len(outputs) + number}": part for number, part in enumerate(parts)})
    return outputs
