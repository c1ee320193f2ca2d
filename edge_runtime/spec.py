"""What a model says about itself: ModelIO (its file), ModelSpec (preprocessing), DecodeSpec (reading its outputs)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError
from edge_runtime.geometry import RESIZE_MODES

METADATA_KEY = "edge_runtime"
RANGES_KEY = "ranges"  # of the range table in the metadata of INT8 files
DROP_KEY = "drop"  # of the points of AP that INT8 was measured to cost
AGREEMENT_KEY = "disagreement"  # of the points of agreement that it cost, where there were no labels
COLORS = ("rgb", "bgr")
Shape = Tuple[int, ...]
Triple = Tuple[float, float, float]


@dataclass(frozen=True)
class ModelIO:
    """Names, shapes and metadata of a model file, before anything is known about its family.

    Attributes:
        input_name: name of the image input.
        input_shape: (B, 3, H, W); -1 where the file leaves a size open.
        outputs: output name -> shape, in the file's order; -1 where open.
        metadata: the file's `metadata_props`.
        dtypes: tensor name -> numpy dtype name, for the input and every output.
    """

    input_name: str
    input_shape: Shape
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)

    @property
    def input_wh(self) -> Tuple[int, int]:
        """(width, height) of the input, pixels; -1 where open."""
        return self.input_shape[3], self.input_shape[2]

    @property
    def shapes(self) -> Tuple[Shape, ...]:
        """Output shapes in order."""
        return tuple(self.outputs.values())


@dataclass(frozen=True)
class ModelSpec:
    """How to prepare an image for a model and what its classes are called; travels inside the model file.

    Attributes:
        family: name of the file in `heads/` that reads its outputs.
        input_wh: (width, height) of the model's input, pixels.
        labels: class names by class id.
        resize: "letterbox", "letterbox_topleft" or "stretch"; see `geometry.fit`.
        pad_value: grey level of the padding, 0..255.
        color: order of the input channels, "rgb" or "bgr".
        mean, std: (x - mean) / std per channel, pixel units 0..255, in the order of `color`.
        anchors: per level, finest stride first, the (width, height) of each anchor in model pixels; empty for
            anchor-free families and where the family's own are meant.
        strides: model pixels per grid cell, finest first; empty where the family's own are meant.
        scale_xy: Darknet's `scale_x_y` per level (1.0 = plain YOLOv3); empty means 1.0 everywhere.
    """

    family: str
    input_wh: Tuple[int, int]
    labels: Tuple[str, ...] = ()
    resize: str = "letterbox"
    pad_value: int = 114
    color: str = "rgb"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (255.0, 255.0, 255.0)
    anchors: Tuple[Tuple[Tuple[float, float], ...], ...] = ()
    strides: Tuple[int, ...] = ()
    scale_xy: Tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.resize not in RESIZE_MODES:
            raise SpecError(f"resize is {self.resize!r}", hint=f"expected one of: {', '.join(RESIZE_MODES)}")
        if self.color not in COLORS:
            raise SpecError(f"color is {self.color!r}", hint="expected rgb or bgr")
        if not 0 <= self.pad_value <= 255:
            raise SpecError(f"pad value is {self.pad_value}", hint="expected 0..255")
        if len(self.mean) != 3 or len(self.std) != 3 or any(not s > 0 for s in self.std):
            raise SpecError(
                f"mean {self.mean} and std {self.std} do not fit", hint="three values each, every std above 0"
            )

    def to_json(self) -> str:
        """The text stored under the metadata key `edge_runtime`."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Reads what `to_json` wrote; unknown keys are ignored, so that older programs read newer files.

        Raises:
            SpecError: not JSON, or not a description.
        """
        try:
            data: Dict[str, Any] = json.loads(text)
            known = {f.name for f in fields(cls)}
            return cls(**{key: _tupled(value) for key, value in data.items() if key in known})
        except (TypeError, AttributeError, json.JSONDecodeError) as error:
            raise SpecError(
                f"the file's {METADATA_KEY!r} metadata is not readable: {error}",
                hint="write it again, or pass --family, --resize, --color, --mean, --std and --labels",
            ) from error


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class View:
    """Where one quantity lies in a head tensor, as element strides within one image of the batch.

    Channel `c` of anchor `a` at grid cell `i = y * grid_width + x` is element
    `offset + a * anchor + i * cell + c * channel` of output number `tensor`.
    """

    tensor: int
    offset: int
    anchor: int
    cell: int
    channel: int


@dataclass(frozen=True)
class Level:
    """One grid of candidates.

    Attributes:
        grid_wh: cells in x and y; a flat list of N candidates is (N, 1).
        box: 4 channels (4 * bins for "distance").
        score: one channel per class.
        objectness: one channel, or None.
        stride: (x, y) model pixels per cell.
        anchors: (width, height) of each anchor in model pixels; a level without anchors has one, (1, 1).
        prior: index of this level's first row in `DecodeSpec.priors`; candidates follow cell by cell, anchors inner.
        scale_xy: Darknet's `scale_x_y`; 2.0 gives YOLOv5's `2 * sigmoid - 0.5`.
    """

    grid_wh: Tuple[int, int]
    box: View
    score: View
    objectness: Optional[View] = None
    stride: Tuple[float, float] = (1.0, 1.0)
    anchors: Tuple[Tuple[float, float], ...] = ((1.0, 1.0),)
    prior: int = 0
    scale_xy: float = 1.0


BOX_KINDS = ("cxcywh", "xyxy", "yxyx", "anchor_exp", "anchor_square", "anchor_tanh", "distance", "prior", "prior_yx")
ACTIVATIONS = ("none", "sigmoid", "softmax")


@dataclass(frozen=True, eq=False)
class DecodeSpec:
    """Everything the native decoder needs to turn head tensors into boxes: plain data, the same on host and device.

    With t0..t3 the box channels, (cx, cy) the cell, (sx, sy) its stride, (aw, ah) the anchor and act() the box
    activation, a candidate's box in model pixels is

        cxcywh         centre (t0, t1) * box_scale, size (t2, t3) * box_scale
        xyxy, yxyx     corners t * box_scale, in that order
        anchor_*       centre ((k * act(t0) - (k - 1) / 2 + cx) * sx, likewise y) with k = level.scale_xy; size
                       anchor * exp(t2) or anchor * (2 * act(t2))^2 for exp and square
        anchor_tanh    centre ((tanh(t0) + cx) * sx, likewise y), size anchor * sigmoid(t2) (FastestDet)
        distance       centre ((cx + cell_offset) * sx, ...), minus and plus the distances left, top, right, bottom * s;
                       each is t itself (bins = 1) or the mean of `softmax` over `bins` channels, side-major (DFL)
        prior          with (px, py, pw, ph) the prior: centre t0 * variance[0] * pw + px, size pw * exp(t2 *
                       variance[1]), exponents clamped to at most `max_exponent`; prior_yx reads ty, tx, th, tw

    and its score for class c is `act(class)`, times `act(objectness)` where there is one: class^(class_power) *
    objectness^(objectness_power). Class tensors may start with background classes (`first_class`), which take part
    in the softmax and are never reported. With `class_channel` the candidate is finished: its one class id is read from
    that channel of the score view's tensor (counted from the score) and its score from the score channel.

    Attributes:
        kind: one of BOX_KINDS.
        levels: the grids; the order of candidates (for ties) is level, anchor, cell, class.
        num_classes: classes reported, background not counted.
        box_activation: "none" or "sigmoid", on t0, t1 (and t2, t3 of anchor_square).
        class_activation: one of ACTIVATIONS.
        objectness_activation: "none" or "sigmoid".
        priors: (P, 4) float32 `[cx, cy, w, h]` in model pixels, for the prior kinds.
        nms: False for end-to-end models, whose boxes are already suppressed.
    """

    kind: str
    levels: Tuple[Level, ...]
    num_classes: int
    box_activation: str = "none"
    class_activation: str = "none"
    objectness_activation: str = "none"
    first_class: int = 0
    class_channel: Optional[int] = None
    bins: int = 1
    cell_offset: float = 0.5
    box_scale: Tuple[float, float] = (1.0, 1.0)
    class_power: float = 1.0
    objectness_power: float = 1.0
    priors: Optional[NDArray[np.float32]] = None
    variance: Tuple[float, float] = (1.0, 1.0)
    max_exponent: float = float("inf")
    nms: bool = True

    def __post_init__(self) -> None:
        if self.kind not in BOX_KINDS:
            raise SpecError(f"box kind is {self.kind!r}", hint=f"expected one of: {', '.join(BOX_KINDS)}")
        for name in ("box_activation", "class_activation", "objectness_activation"):
            if getattr(self, name) not in ACTIVATIONS:
                raise SpecError(f"{name} is {getattr(self, name)!r}", hint=f"expected one of: {', '.join(ACTIVATIONS)}")
        if self.num_classes < 1 or not self.levels:
            raise SpecError("a decode description needs a level and a class", hint="check the head's describe()")
        if self.kind.startswith("prior") and self.priors is None:
            raise SpecError("a prior box kind needs priors", hint="check the head's describe()")


@dataclass(frozen=True)
class Thresholds:
    """Which candidates become detections.

    Attributes:
        conf: lowest score reported, 0..1 (scores must be above it).
        iou: candidates of one class overlapping a better one by more than this are dropped, 0..1.
        max_det: most detections per image.
        classes: class ids or names to report, None for all; names become ids once the model is known.
        multi_label: report every class above `conf` of a box instead of its best; None: only where conf <= 0.01,
            which is how mAP is measured.
    """

    conf: float = 0.25
    iou: float = 0.45
    max_det: int = 300
    classes: Optional[Sequence[Union[int, str]]] = None
    multi_label: Optional[bool] = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.conf <= 1.0 or not 0.0 <= self.iou <= 1.0:
            raise SpecError(f"conf is {self.conf} and iou {self.iou}", hint="both must lie in 0..1")
        if self.max_det < 1:
            raise SpecError(f"max-det is {self.max_det}", hint="it must be at least 1")

    def class_ids(self, labels: Sequence[str]) -> Sequence[int]:
        """Ids of the wanted classes, all of them where none were named.

        Raises:
            SpecError: a name or id that the model does not have.
        """
        if self.classes is None:
            return range(len(labels))
        return [_class_id(wanted, labels) for wanted in self.classes]

    @property
    def per_box_classes(self) -> bool:
        """Whether a box may be reported under several classes."""
        return self.conf <= 0.01 if self.multi_label is None else self.multi_label


def _class_id(wanted: Union[int, str], labels: Sequence[str]) -> int:
    if isinstance(wanted, str) and not wanted.isdigit():
        if wanted in labels:
            return list(labels).index(wanted)
    elif 0 <= int(wanted) < len(labels):
        return int(wanted)
    raise SpecError(
        f"the model has no class {wanted!r}", hint=f"its classes are 0..{len(labels) - 1}: {', '.join(labels)}"
    )
