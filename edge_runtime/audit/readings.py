"""How outputs become boxes in pixels of the picture, and the usual ways to do it otherwise."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime import heads
from edge_runtime.audit import places
from edge_runtime.audit.likeness import Floats, tidy
from edge_runtime.audit.places import Change
from edge_runtime.audit.preparations import Placement
from edge_runtime.detect import understand
from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.detect.understand import Model
from edge_runtime.errors import EdgeError
from edge_runtime.heads._anchors import COCO_TINY
from edge_runtime.model import labels
from edge_runtime.model.anchors import SETS
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.thresholds import Thresholds

MOST = 6000  # candidates of a picture


@dataclass(frozen=True)
class Reading:
    """One way to read outputs.

    Attributes:
        model: family, anchors and activations.
        place: boxes (n, 6) in model pixels, where the picture lies, size of the input -> boxes as they are written.
        classes: by class number, the number that is written; None if they are the same.
        words: how it differs from the known one, to follow "it has"; "" for the known one.
    """

    model: Model
    place: Change = lambda rows, placed, _: placed.back(rows)
    classes: Optional[Callable[[Floats], Floats]] = None
    words: str = ""

    def reader(self) -> OutputReader:
        """What decodes outputs so."""
        return OutputReader(self.model)

    def candidates(
        self, reader: OutputReader, outputs: List[Floats], placed: Placement, low: float, every: bool
    ) -> Floats:
        """Boxes before any NMS, (n, 6) `[x1, y1, x2, y2, score, class_id]`, best first, at most `MOST`.

        Args:
            low: only scores above it, 0..1.
            every: every class of a box that is above `low`, not only its best.
        """
        width, height = self.model.spec.input_wh
        flat = (1.0, 1.0, 0.0, 0.0, float(width), float(height))
        rows = reader.boxes(outputs, flat, Thresholds(low, 1.0, MOST, None, every))
        with np.errstate(all="ignore"):
            moved = self.place(rows, placed, (width, height)).astype(np.float32)
        if self.classes is not None:
            moved[:, 5] = self.classes(moved[:, 5])
        return tidy(moved, placed.image_wh)


def others(known: Reading, read_io: Any) -> List[Reading]:
    """Every usual reading that differs from the known one in one thing.

    Args:
        read_io: that of the backend, to read the file as other families.
    """
    return [*_numbers(known), *_places(known), *_decoders(known), *_families(known, read_io)]


def _numbers(known: Reading) -> Iterator[Reading]:
    count = len(known.model.spec.labels)
    shifts: Dict[str, Callable[[Floats], Floats]] = {
        "class numbers one higher": lambda ids: ids + 1,
        "class numbers one lower": lambda ids: ids - 1,
    }
    if count == len(labels.COCO):
        ids = np.array([number for number in range(91) if number not in labels.UNUSED], np.float32)
        shifts["class numbers of COCO's own files, 1 to 90"] = lambda rows: ids[rows.astype(int)]
    for words, change in shifts.items():
        yield replace(known, classes=change, words=words)


def _places(known: Reading) -> Iterator[Reading]:
    for words, change in places.PLACES.items():
        yield replace(known, place=change, words=words)


def _decoders(known: Reading) -> Iterator[Reading]:
    decode = known.model.decode
    if decode is None:
        return
    for words, changed in (*_scores(decode), *_shapes(decode)):
        yield replace(known, model=replace(known.model, decode=changed), words=words)


def _scores(decode: DecodeSpec) -> Iterator[Tuple[str, DecodeSpec]]:
    if any(level.objectness for level in decode.levels):
        bare = tuple(replace(level, objectness=None) for level in decode.levels)
        yield "scores without the objectness", replace(decode, levels=bare)
        if decode.objectness_activation == "sigmoid":
            yield "an objectness without its sigmoid", replace(decode, objectness_activation="none")
        else:
            yield "a second sigmoid of the objectness", replace(decode, objectness_activation="sigmoid")
    for name in ("none", "sigmoid", "softmax"):
        if name != decode.class_activation and not decode.finished:
            words = f"class scores activated by {name}, not {decode.class_activation}"
            changed = replace(decode, class_activation=name)
            yield words, changed
            if name == "sigmoid" and any(level.objectness for level in decode.levels):
                yield f"{words}, and the objectness too", replace(changed, objectness_activation="sigmoid")
    if (decode.class_power, decode.objectness_power) != (1.0, 1.0):
        yield "scores without their powers", replace(decode, class_power=1.0, objectness_power=1.0)


def _shapes(decode: DecodeSpec) -> Iterator[Tuple[str, DecodeSpec]]:
    for words, anchors in _anchor_sets([level.anchors for level in decode.levels]):
        levels = tuple(replace(level, anchors=each) for level, each in zip(decode.levels, anchors))
        yield words, replace(decode, levels=levels)
    for other in KINDS.get(decode.kind, ()):
        yield f"boxes decoded as {other}, not {decode.kind}", replace(decode, kind=other)
    for scale in (1.0, 1.05, 1.1, 1.2, 2.0):
        if decode.kind in ("anchor_exp", "anchor_square") and decode.levels[0].scale_xy != scale:
            levels = tuple(replace(level, scale_xy=scale) for level in decode.levels)
            yield f"scale_xy {scale:g}, not {decode.levels[0].scale_xy:g}", replace(decode, levels=levels)
    if decode.kind == "distance":
        offset = 0.5 - decode.cell_offset
        yield f"cells that begin at {offset:g}, not {decode.cell_offset:g}", replace(decode, cell_offset=offset)
    if decode.kind.startswith("prior") and decode.variance != (1.0, 1.0):
        yield "box variances left out", replace(decode, variance=(1.0, 1.0))
    if decode.box_activation == "sigmoid":
        yield "box centres without their sigmoid", replace(decode, box_activation="none")
    for words, strides in _other_strides([level.stride for level in decode.levels]):
        yield words, replace(decode, levels=tuple(map(_with_stride, decode.levels, strides)))


KINDS = {
    "cxcywh": ("xyxy", "yxyx"), "xyxy": ("cxcywh", "yxyx"), "yxyx": ("xyxy", "cxcywh"),
    "anchor_exp": ("anchor_square",), "anchor_square": ("anchor_exp",), "prior": ("prior_yx",), "prior_yx": ("prior",),
}  # fmt: skip
Anchors = Sequence[Sequence[Tuple[float, float]]]
Strides = Sequence[Tuple[float, float]]


def _anchor_sets(own: Anchors) -> Iterator[Tuple[str, Any]]:
    """Other anchors for the same levels."""
    count = [len(level) for level in own]
    if max(count) < 2:
        return
    for name, others_ in {**SETS, "tiny YOLOv3": COCO_TINY}.items():
        if [len(level) for level in others_] == count and not np.allclose(
            np.concatenate([*map(np.array, own)]), np.concatenate([*map(np.array, others_)])
        ):
            yield f"the anchors of {name}", others_
    if len(own) > 1 and count == count[::-1]:
        yield "anchors of the levels in the opposite order", own[::-1]
    yield "width and height of the anchors in each other's place", [[(h, w) for w, h in level] for level in own]


def _with_stride(level: Level, stride: Tuple[float, float]) -> Level:
    """The level with another stride. YOLOX's one anchor is its stride."""
    anchors = (stride,) if tuple(level.anchors) == (level.stride,) else level.anchors
    return replace(level, stride=stride, anchors=anchors)


def _other_strides(own: Strides) -> Iterator[Tuple[str, Strides]]:
    if len(set(own)) < 2:
        return
    yield "strides in the opposite order", own[::-1]
    yield "strides twice as large", [(2 * x, 2 * y) for x, y in own]
    yield "strides half as large", [(x / 2, y / 2) for x, y in own]


def _families(known: Reading, read_io: Any) -> Iterator[Reading]:
    """The outputs read as other families that have such shapes."""
    model = known.model
    with suppress(EdgeError):
        for family in heads.fitting(model.io, len(model.spec.labels)):
            if family == model.spec.family:
                continue
            with suppress(EdgeError):
                flags = ModelFlags(family=family, labels=model.spec.labels, imgsz=model.chosen_wh)
                other = understand.understand(model.path, replace(model.io, metadata={}), flags)
                yield replace(known, model=other, words=f"outputs read as {family}, not {model.spec.family}")
