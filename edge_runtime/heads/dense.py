"""Boxes that the network decodes, and a score of each class for each box: two outputs of any order, or one table.

YOLO-NAS and DAMO-YOLO (corners in pixels), SSD of jetson-inference (corners in 0..1, background first), RF-DETR and the
DETRs of Hugging Face (centre and size in 0..1, scores not activated; DETR and YOLOS have a last class "no object"),
RT-DETR of Ultralytics (one table).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from edge_runtime.heads import Floats, _priors
from edge_runtime.heads import _views as views
from edge_runtime.model import outputs as model_outputs
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.labels import COCO
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "decoded boxes [B, N, 4] and scores [B, N, C] in any order (YOLO-NAS, DAMO-YOLO, jetson-inference, RF-DETR), or"
    " [B, N, 4 + C] of at most 1000 rows (RT-DETR)"
)
PRIORITY = -1  # after families whose boxes are not decoded
DEFAULTS: Mapping[str, Any] = {"resize": "letterbox", "color": "rgb"}
SCORES = ("", "background", "sigmoid", "softmax", "background sigmoid", "background softmax", "no_object softmax")
LAYOUTS = tuple(tuple(" ".join(words).split()) for words in product(("", "cxcywh"), ("", "fraction"), SCORES))[1:]
IMAGENET: Mapping[str, Any] = {"resize": "stretch", **views.IMAGENET}
TRAINED: Mapping[Tuple[str, ...], Mapping[str, Any]] = {  # by the names of the outputs
    ("dets", "labels"): IMAGENET,  # RF-DETR
    ("boxes", "scores"): {"resize": "stretch", "mean": (127.0,) * 3, "std": (128.0,) * 3},  # jetson-inference
}
BOXES = ("box", "dets")  # in names of outputs of boxes
INSIDE = ("hidden", "feature", "queries", "attention", "mask")  # names of outputs that are no boxes and no scores
QUERIES = 1000  # so many boxes at most come from a network that suppresses doubles itself (DETR)


@dataclass(frozen=True)
class Pair:
    """Numbers of the outputs of boxes and scores, which may be the same, rows, and columns of scores."""

    boxes: int
    scores: int
    count: int
    columns: int

    def view(self, tensor: int, width: int, after: int) -> View:
        """Where boxes or scores lie: in their own tensor of so many columns, or in the table, after so many columns."""
        apart = self.boxes != self.scores
        return View(tensor, 0 if apart else after, 0, width if apart else 4 + self.columns, 1)


def select(io: ModelIO, layout: Sequence[str]) -> Tuple[int, ...]:
    """Returns the numbers of the outputs, boxes first if names tell it, without those from inside the network.

    There are none if the number of rows differs from image to image: those are objects, not places; and if both have
    four columns and no name tells which are the boxes.
    """
    if model_outputs.lists(io):
        return ()
    names = [name.lower() for name in io.outputs]
    kept = [number for number, name in enumerate(names) if not any(word in name for word in INSIDE)]
    boxes = [number for number in kept if any(word in names[number] for word in BOXES)]
    alike = len(kept) == 2 and all(io.shapes[number][-1] == 4 for number in kept)
    if alike and len(boxes) != 1:
        return ()
    return (*boxes, *(number for number in kept if number not in boxes))


def defaults(io: ModelIO) -> Dict[str, Any]:
    """Returns the usual preprocessing of the exporter that gives the outputs these names."""
    names = tuple(sorted(io.of(select(io, ())).outputs))
    if names == ("logits", "pred_boxes"):  # RT-DETR has 80 classes and no normalisation, DETR has COCO's ids
        return {**DEFAULTS, **(IMAGENET if io.outputs["logits"][-1] > len(COCO) else {"resize": "stretch"})}
    stretched = {"resize": "stretch"} if io.metadata.get("author") == "Ultralytics" else {}
    return {**DEFAULTS, **TRAINED.get(names, stretched)}


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is a pair of such outputs; with or without a class for nothing."""
    return any(views.fits(_read, io, count) for count in {num_classes, num_classes and num_classes + 1})


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).columns


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    level = Level((found.count, 1), found.view(found.boxes, 4, 0), found.view(found.scores, found.columns, 4))
    return DecodeSpec(
        "cxcywh" if "cxcywh" in spec.head_layout else "xyxy",
        (level,),
        found.columns - spec.classes_of_nothing,
        class_activation=_activation(spec),
        first_class=int("background" in spec.head_layout),
        last_classes=int("no_object" in spec.head_layout),
        box_scale=spec.box_scale,
        nms=found.count > QUERIES,
    )


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Scales the boxes to pixels and activates the scores, if the layout says so.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    t, p = outputs[found.boxes].reshape(found.count, -1)[:, :4], outputs[found.scores].reshape(found.count, -1)
    p = p[:, -found.columns :]
    t = views.corners(t[:, :2], t[:, 2:]) if "cxcywh" in spec.head_layout else t
    activate = {"none": lambda x: x, "sigmoid": views.sigmoid, "softmax": views.softmax}[_activation(spec)]
    first = int("background" in spec.head_layout)
    return t * views.per_corner(spec), activate(p)[:, first : first + found.columns - spec.classes_of_nothing]


def _activation(spec: ModelSpec) -> str:
    return next((word for word in ("sigmoid", "softmax") if word in spec.head_layout), "none")


def _is_table(shape: Shape, spec: ModelSpec) -> bool:
    """Whether the rows are boxes, and not the columns (as many as cells), and it is no picture (depth)."""
    width, height = spec.input_wh
    picture = height * shape[1] == width * shape[0]
    return 10 <= shape[0] <= QUERIES and not picture and not views.pyramid(shape[1], spec)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Pair:
    pair = _priors.flat_pair(seen)
    apart = "softmax" in spec.head_layout or "background" in spec.head_layout  # words for two outputs
    if pair is None and not apart and len(seen) == 1 and len(seen[0]) == 2 and _is_table(seen[0], spec):
        pair = (0, 0, seen[0][0], seen[0][1] - 4)
    if pair is None and len(seen) == 2 and seen[0] == seen[1] and seen[0][1:] == (4,):
        pair = (0, 1, seen[0][0], 4)  # four classes
    if pair is None or pair[3] <= spec.classes_of_nothing:
        raise views.misfit(seen, spec, SUMMARY)
    views.agree(pair[3] - spec.classes_of_nothing, spec)
    return Pair(*pair)
