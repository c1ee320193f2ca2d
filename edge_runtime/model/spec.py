"""What a model says about itself: ModelIO (its tensors), ModelSpec (how to prepare images, names of classes)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Mapping, Optional, Sequence, Tuple

from edge_runtime.errors import SpecError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields
from edge_runtime.model.geometry import RESIZE_MODES

METADATA_KEY = "edge_runtime"
GOLDEN_KEY = "edge_runtime_golden"  # key of what it must find on photographs; see detect/golden.py
RANGES_KEY = "ranges"  # key of the range table in the metadata of INT8 files
DROP_KEY = "drop"  # key of the points of AP that INT8 costs, as measured
AGREEMENT_KEY = "disagreement"  # key of the points of agreement that INT8 costs, measured without labels
EVIDENCE_KEY = "evidence"  # key of what the verdict saw, and of which network it is
VERDICT_KEYS = ("verdict", DROP_KEY, AGREEMENT_KEY, EVIDENCE_KEY)
COLORS = ("rgb", "bgr")
LAYOUTS = (
    "fraction", "cxcywh", "yxyx", "background", "no_object", "sigmoid", "softmax",
    "class_first", "box_last", "from_one", "extra",
)  # fmt: skip
DTYPES = ("float32", "float16", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool")
Shape = Tuple[int, ...]
Triple = Tuple[float, float, float]


@dataclass(frozen=True)
class ModelIO:
    """Names, shapes and metadata of a model file, before anything is known about its family.

    Attributes:
        input_name: name of the image input.
        input_shape: (B, 3, H, W); -1 for a size that the file leaves open.
        outputs: output name -> shape (B, ...), in the file's order; -1 for an open size.
        metadata: the file's `metadata_props`.
        dtypes: tensor name -> numpy dtype name, for every input and output.
        channels_last: whether the file's input is (B, H, W, 3).
        others: name -> shape of the inputs beside the image; `model.inputs` knows what they are given.
        stored: shape in the file of those outputs that have no batch axis there, or a number of rows (-1) that differs
            from image to image; see `model.outputs`.
        produced_by: output name -> the operators before it, see `last_operators`; empty if there is no graph (plans).
    """

    input_name: str
    input_shape: Shape
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    channels_last: bool = False
    others: Mapping[str, Shape] = field(default_factory=dict)
    stored: Mapping[str, Shape] = field(default_factory=dict)
    produced_by: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)

    @property
    def stored_input(self) -> Shape:
        """The shape of the image input in the file."""
        batch, channels, height, width = self.input_shape
        return (batch, height, width, channels) if self.channels_last else self.input_shape

    @property
    def input_wh(self) -> Tuple[int, int]:
        """(width, height) of the input, pixels; -1 if open."""
        return self.input_shape[3], self.input_shape[2]

    @property
    def decoded(self) -> Optional[int]:
        """Number of the one output that is a list of rows, if all others are maps (YOLOv7 exported with `--grid`)."""
        rows = [number for number, shape in enumerate(self.shapes) if len(shape) < 4]
        return rows[0] if len(rows) == 1 and len(self.shapes[rows[0]]) == 3 and len(self.outputs) > 1 else None

    def of(self, numbers: Sequence[int]) -> ModelIO:
        """Returns the same with these outputs only, in this order."""
        names = [list(self.outputs)[number] for number in numbers]
        stored = {name: shape for name, shape in self.stored.items() if name in names}
        return replace(self, outputs={name: self.outputs[name] for name in names}, stored=stored)

    @property
    def shapes(self) -> Tuple[Shape, ...]:
        """The output shapes, in order."""
        return tuple(self.outputs.values())


@dataclass(frozen=True)
class ModelSpec:
    """How to prepare an image for a model, and the names of its classes. It is stored inside the model file.

    Attributes:
        family: name of the file in `heads/` that reads its outputs.
        input_wh: (width, height) of the model's input, pixels.
        labels: class names by class id.
        resize: "letterbox", "letterbox_topleft" or "stretch"; see `geometry.fit`.
        pad_value: grey level of the padding, 0..255.
        color: order of the input channels, "rgb" or "bgr".
        mean, std: (x - mean) / std per channel, pixel units 0..255, in the order of `color`.
        anchors: per level, finest stride first, the (width, height) of each anchor in model pixels. Empty for families
            without anchors, and for the default anchors of the family.
        strides: model pixels per grid cell, finest first; empty for the default strides of the family.
        scale_xy: Darknet's `scale_x_y` per level (1.0 = plain YOLOv3); empty means 1.0 for all levels.
        head_layout: what is unusual in the outputs for the family, words of LAYOUTS: `fraction` boxes in 0..1, not in
            pixels; `cxcywh` centre and size, or `yxyx` y first, instead of corners; `background` a class before all
            others, `no_object` one after them; `sigmoid` or `softmax` scores that are not activated; for lists of
            objects `class_first` class numbers before scores, `box_last` boxes after both, `from_one` class numbers
            that start at 1; `extra` channels after the classes, which are not read (keypoints, masks).
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
    head_layout: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in check_fields(vars(self), FIELDS, "", SpecError).items():
            object.__setattr__(self, name, value)

    @property
    def box_scale(self) -> Tuple[float, float]:
        """(x, y) model pixels per unit of a decoded box."""
        return (float(self.input_wh[0]), float(self.input_wh[1])) if "fraction" in self.head_layout else (1.0, 1.0)

    @property
    def classes_of_nothing(self) -> int:
        """Number of classes in the outputs that are no objects: the background, "no object"."""
        return sum(word in self.head_layout for word in ("background", "no_object"))

    def to_json(self) -> str:
        """Returns the text that is stored under the metadata key `edge_runtime`."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Reads what `to_json` wrote. Unknown keys are ignored, so that older programs can read newer files.

        Raises:
            SpecError: the text is not JSON, or not such a description.
        """
        try:
            data = read.parse_json_object(text)
            return cls(**{key: value for key, value in data.items() if key in FIELDS})
        except (TypeError, ValueError) as error:
            reason = f"{error}, {error.hint}" if isinstance(error, SpecError) else error
            raise SpecError(
                f"the file's {METADATA_KEY!r} metadata is not readable: {reason}",
                hint="write it again, or pass --family, --resize, --color, --mean, --std and --labels",
            ) from error


_SHAPE = fields.several(fields.whole(-1, 1 << 31), most=8)
IO_FIELDS = {
    "input_name": fields.text(),
    "input_shape": fields.several(fields.whole(-1, 1 << 31), 4, 4),
    "outputs": fields.mapping(_SHAPE),
    "metadata": fields.mapping(fields.text(1 << 24)),
    "dtypes": fields.mapping(fields.one_of(DTYPES)),
    "channels_last": fields.flag(),
    "others": fields.mapping(_SHAPE),
    "stored": fields.mapping(_SHAPE),
}
FIELDS = {
    "family": fields.text(64),
    "input_wh": fields.size(),
    "labels": fields.several(fields.text()),
    "resize": fields.one_of(RESIZE_MODES),
    "pad_value": fields.whole(0, 255),
    "color": fields.one_of(COLORS),
    "mean": fields.several(fields.number(), 3, 3),
    "std": fields.several(fields.number(0, above=True), 3, 3),
    "anchors": fields.several(fields.several(fields.several(fields.number(0, above=True), 2, 2))),
    "strides": fields.several(fields.whole(1, 4096)),
    "scale_xy": fields.several(fields.number(0, above=True)),
    "head_layout": fields.several(fields.one_of(LAYOUTS), most=len(LAYOUTS), alone=True),
}
