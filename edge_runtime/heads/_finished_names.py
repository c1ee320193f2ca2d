"""Which output of a list of objects holds what: their shapes and types tell it, and the names that exporters use."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from edge_runtime.heads import _views as views
from edge_runtime.model import inputs
from edge_runtime.model.labels import COCO, COCO91
from edge_runtime.model.spec import ModelIO, Shape

Words = Tuple[str, ...]
CLASS_NAMES, SCORE_NAMES = ("class", "label", "categor"), ("score", "conf", "prob")
OTHER_NAMES = ("raw_", "multiclass_scores", "indices", "anchor", "keypoint", "landm", "mask")


def select(io: ModelIO, layout: Sequence[str]) -> Tuple[int, ...]:
    """Returns the numbers of a table and its count, or of boxes, scores, class numbers and their count.

    They are empty if the outputs are no list.
    """
    seen = {number: flat(shape) for number, shape in enumerate(views.shapes(io))}
    names = [name.lower() for name in io.outputs]
    seen = {number: shape for number, shape in seen.items() if not any(word in names[number] for word in OTHER_NAMES)}
    tables = [number for number, shape in seen.items() if len(shape) == 2 and shape[1] in (4, 5, 6, 7)]
    if len(tables) != 1:
        return ()
    table = tables[0]
    rows, width = seen.pop(table)
    columns = [number for number, shape in seen.items() if shape == (rows,)]
    counts = [number for number, shape in seen.items() if not shape or (number in columns and _whole(io, number))]
    if width > 5:
        return (table, *counts[:1]) if len(io.outputs) <= 2 else ()
    count = [number for number in counts if number not in columns]
    if width == 5:
        return (table, *columns, *count[:1]) if len(columns) == 1 else ()
    pair = _pair(io, columns, "class_first" in layout)
    return (table, *pair, *count[:1]) if pair else ()


def flat(shape: Shape) -> Shape:
    """Returns a shape without sides of 1: some exporters write [N, 1, 4] and [N, 1]."""
    return tuple(side for side in shape if side != 1)


def _whole(io: ModelIO, number: int) -> bool:
    return "int" in io.dtypes.get(list(io.outputs)[number], "")


def _pair(io: ModelIO, columns: List[int], class_first: bool) -> Tuple[int, ...]:
    """The numbers of scores and class numbers."""
    if len(columns) != 2:
        return ()
    names = [list(io.outputs)[number].lower() for number in columns]
    whole = [_whole(io, number) for number in columns]
    for told in (whole, _named(names, CLASS_NAMES), _named(names, SCORE_NAMES)[::-1]):
        if told[0] != told[1]:
            return (columns[1], columns[0]) if told[0] else tuple(columns)
    return (columns[1], columns[0]) if class_first else tuple(columns)


def _named(names: Sequence[str], words: Sequence[str]) -> List[bool]:
    return [any(word in name for word in words) for name in names]


def usual_layout(io: ModelIO) -> Words:
    """Returns the layout of the exporter that gives these names."""
    return ("fraction", "yxyx") if _tensorflow(io) else ()


def classes(io: ModelIO) -> int:
    """Returns the number of classes that models with such outputs usually have: COCO's 80, or its ids up to 90."""
    return len(COCO91 if _tensorflow(io) or _torchvision(io) else COCO)


def preprocessing(io: ModelIO) -> Dict[str, Any]:
    """Returns what the training of such a model usually was, as fields of a ModelSpec."""
    known = {inputs.key(name) for name in io.others}
    stretched = _tensorflow(io) or _torchvision(io) or known & {"orig_target_sizes", "scale_factor"}
    return {"resize": "stretch"} if stretched else {}


def _tensorflow(io: ModelIO) -> bool:
    return any(name.split(":")[0].endswith("detection_boxes") for name in io.outputs)


def _torchvision(io: ModelIO) -> bool:
    return {"boxes", "labels", "scores"} <= set(io.outputs) and "boxes" in io.stored
