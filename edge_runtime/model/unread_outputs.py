"""Names files that are no detectors, or of kinds that are not read, by what comes out of them."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence, Set, Tuple

from edge_runtime.model.spec import ModelIO, Shape
from edge_runtime.model.unread import DETECTOR, Unread

EMBEDDINGS = (64, 128, 192, 256, 384, 512, 768, 1024, 1280, 2048)  # usual lengths of a vector of features
KEYPOINTS = (17, 21, 68, 98, 106, 133)  # of a body, a hand, a face, a whole body
MEDIAPIPE = f"of MediaPipe only BlazeFace is read: {DETECTOR}"
NOT_READ = f"it finds no boxes: {DETECTOR}"
Rule = Callable[[ModelIO], bool]


def by_outputs(io: ModelIO) -> Optional[Unread]:
    """Returns what a file with these outputs is, if it is of a known kind that is not read.

    It is asked only where no family reads the outputs, so that a rule may be wider than its kind.
    """
    return next((kind for fits, kind in RULES if fits(io)), None) if io.outputs else None


def _have(*words: str) -> Rule:
    """Each word is in the name of some output."""
    return lambda io: all(any(word in name.lower() for name in io.outputs) for word in words)


def _apart(io: ModelIO) -> List[Shape]:
    """The shapes without the batch axis."""
    return [shape[1:] for shape in io.shapes]


def _maps(io: ModelIO) -> Sequence[Tuple[int, Tuple[int, int]]]:
    """Channels and (rows, columns) of every output; empty if one is no map."""
    shapes = _apart(io)
    return [(s[0], (s[1], s[2])) for s in shapes] if all(len(s) == 3 and min(s) > 0 for s in shapes) else []


def _size(io: ModelIO) -> Tuple[int, int]:
    return io.input_shape[2], io.input_shape[3]


def _share(io: ModelIO, side: Tuple[int, int]) -> float:
    """How many pixels of the input are one of a map; 0 if the two sides differ, or a size is open."""
    (h, w), (rows, columns) = _size(io), side
    return h / rows if min(h, w, rows, columns) > 0 and h * columns == w * rows else 0.0


def _is_vector(io: ModelIO) -> bool:
    """One value for each class, or features, and no more."""
    shapes = _apart(io)
    return all(sum(size != 1 for size in shape) < 2 and len(shape) in (1, 2, 3) for shape in shapes)


def _is_embedding(io: ModelIO) -> bool:
    words = ("embed", "feat", "reid", "fc1", "descriptor")
    named = any(word in name.lower() for name in io.outputs for word in words)
    return _is_vector(io) and len(io.outputs) == 1 and (named or max(_apart(io)[0]) in EMBEDDINGS)


def _one_map(io: ModelIO, channels: Callable[[int], bool], share: Callable[[float], bool]) -> bool:
    found = _maps(io)
    return len(found) == 1 and channels(found[0][0]) and share(_share(io, found[0][1]))


def _is_picture(io: ModelIO) -> bool:
    return _one_map(io, lambda c: c == 3, lambda share: 0 < share <= 1)


def _is_one_value(io: ModelIO) -> bool:
    """Depth, saliency, or the text of DBNet: one value for each pixel, with or without an axis of channels."""
    flat = [shape for shape in _apart(io) if len(shape) == 2]
    alone = len(io.outputs) == 1 and bool(flat) and 0 < _share(io, (flat[0][0], flat[0][1])) <= 4
    return alone or _one_map(io, lambda c: c == 1, lambda share: 0 < share <= 4)


def _is_labelled(io: ModelIO) -> bool:
    """The number of a class for each pixel."""
    whole = all(io.dtypes.get(name, "float32").lstrip("u").startswith("int") for name in io.outputs)
    return whole and _is_one_value(io)


def _is_heat(io: ModelIO) -> bool:
    return _one_map(io, lambda c: c in KEYPOINTS, lambda share: share in (2, 4, 8))


def _is_segmenter(io: ModelIO) -> bool:
    return _one_map(io, lambda c: c > 1, lambda share: share > 0)


def _is_centernet(io: ModelIO) -> bool:
    found = _maps(io)
    alike = len({side for _, side in found}) == 1 and len(found) in (2, 3)
    return alike and sum(channels == 2 for channels, _ in found) >= 1 and _share(io, found[0][1]) == 4


def _is_pyramid(io: ModelIO) -> bool:
    found = _maps(io)
    return len(found) > 1 and len({side for _, side in found}) == len(found)


def _is_face(io: ModelIO) -> bool:
    """Boxes, scores and five points: columns of 4, 1 or 2, and 10."""
    last: Set[int] = {shape[-1] for shape in _apart(io) if len(shape) == 2}
    return 4 in last and 10 in last and bool(last & {1, 2})


def _is_mediapipe(io: ModelIO) -> bool:
    rows = [shape for shape in _apart(io) if len(shape) == 2]
    pair = len(rows) == 2 and rows[0][0] == rows[1][0] and min(s[1] for s in rows) == 1
    return len(io.outputs) == 2 and pair and max(s[1] for s in rows) in (12, 16, 18)


def _is_text(io: ModelIO) -> bool:
    (h, w), shapes = _size(io), _apart(io)
    return len(shapes) == 1 and len(shapes[0]) == 2 and 0 < h <= 64 and (w < 0 or w >= h) and shapes[0][1] > 30


RULES: Tuple[Tuple[Rule, Unread], ...] = (
    (
        _have("output_cov", "output_bbox"),
        Unread("TAO DetectNet_v2 (PeopleNet, TrafficCamNet)", f"DeepStream reads it: {DETECTOR}"),
    ),
    (_have("simcc_x", "simcc_y"), Unread("a finder of keypoints (RTMPose, SimCC)", NOT_READ)),
    (_have("regressors", "classificators"), Unread("a detector of MediaPipe (palms, bodies)", MEDIAPIPE)),
    (_is_mediapipe, Unread("a detector of MediaPipe (palms, bodies)", MEDIAPIPE)),
    (
        _is_face,
        Unread(
            "a face detector with five points, of an unknown layout", "SCRFD, RetinaFace and YuNet of 2023 are read"
        ),
    ),
    (_is_text, Unread("a reader of text (CTC)", NOT_READ)),
    (_is_embedding, Unread("a vector of features of the whole picture (faces, ReID), or a classifier", NOT_READ)),
    (_is_vector, Unread("a classifier: one value for each class", NOT_READ)),
    (_is_centernet, Unread("CenterNet: a heat map, sizes and offsets", f"its peaks are not read: {DETECTOR}")),
    (_is_labelled, Unread("the number of a class for each pixel (semantic segmentation)", NOT_READ)),
    (_is_picture, Unread("a picture (super-resolution, style, denoising)", NOT_READ)),
    (_is_one_value, Unread("one value for each pixel (depth, saliency, text of DBNet)", NOT_READ)),
    (_is_heat, Unread("heat maps of keypoints (HRNet)", NOT_READ)),
    (_is_segmenter, Unread("one map of classes (semantic segmentation), or of features", NOT_READ)),
    (
        _is_pyramid,
        Unread(
            "maps of features of several sizes (a backbone), or raw maps of an unknown detector",
            f"export the detector with its head and its decoding: {DETECTOR}",
        ),
    ),
)
