"""What may be true of a model whose file says nothing: families that fit, and the usual ways to prepare a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from edge_runtime import heads
from edge_runtime.detect import understand
from edge_runtime.detect.understand import UNSTATED, Model
from edge_runtime.model import labels as label_sets
from edge_runtime.model.geometry import RESIZE_MODES
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import COLORS, METADATA_KEY, ModelIO, ModelSpec, Triple

DIMENSIONS = ("family", "resize", "color", "scale", "labels")
GIVEN, STATED = "given", "as stated"  # names of scales: by the user, and by the file
ReadIO = Callable[[str, Optional[Tuple[int, int]], int], ModelIO]


@dataclass(frozen=True)
class Scale:
    """A usual (x - mean) / std, pixel units 0..255, in the order red, green, blue.

    Attributes:
        name: for people.
    """

    name: str
    mean: Triple
    std: Triple

    def ordered(self, color: str) -> Tuple[Triple, Triple]:
        """Mean and std in the order of the channels."""
        step = 1 if color == "rgb" else -1
        return self.mean[::step], self.std[::step]  # type: ignore[return-value]


# Of the training code of the detectors that are named.
SCALES = (
    Scale("0..1", (0.0,) * 3, (255.0,) * 3),  # YOLO, Darknet, FastestDet
    Scale("0..255", (0.0,) * 3, (1.0,) * 3),  # YOLOX, DAMO-YOLO
    Scale("ImageNet", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),  # NanoDet, PicoDet, EfficientDet, RTMDet
    # TensorFlow's and MobileNet's SSD. UltraFace has (x - 127) / 128, which no picture tells apart from it.
    Scale("-1..1", (127.5,) * 3, (127.5,) * 3),
    Scale("Caffe", (123.0, 117.0, 104.0), (1.0,) * 3),  # SSD with VGG
)


@dataclass(frozen=True)
class Candidate:
    """One combination.

    Attributes:
        model: the file as the family reads it; its spec has the preparation and the class names.
        scale: name of the scale.
        reading: place of the family among those that fit, the usual one first.
        labels: name of the label set; "" if the file or the user gives the names.
    """

    model: Model
    scale: str
    reading: int = 0
    labels: str = ""

    @property
    def spec(self) -> ModelSpec:
        """Family, preparation and class names."""
        return self.model.spec

    @property
    def values(self) -> Dict[str, str]:
        """What it says, by dimension."""
        family = " ".join([self.spec.family, *self.spec.head_layout])
        return dict(zip(DIMENSIONS, (family, self.spec.resize, self.spec.color, self.scale, self.labels)))

    @property
    def unusual(self) -> Tuple[int, bool, int, bool]:
        """How far it is from what is usual for outputs of these shapes. The smaller one is the more usual."""
        usual = usual_spec(self.model)
        scale = (self.spec.mean, self.spec.std) != (usual.mean, usual.std)
        return self.reading, self.spec.resize != usual.resize, RESIZE_MODES.index(self.spec.resize), scale

    @property
    def notes(self) -> Tuple[str, ...]:
        """What was assumed, without what is known by now: the preparation, and doubts about it."""
        doubt = getattr(heads.load_head(self.spec.family), "doubt", None)
        usual, seen = usual_spec(self.model), self.model.io.of(self.model.read)
        before = replace(self.spec, color=usual.color, mean=usual.mean, std=usual.std)
        settled = {doubt(seen, before)} - {doubt(seen, self.spec)} if doubt else set()
        return tuple(note for note in self.model.notes if note not in settled and not note.startswith(UNSTATED))

    def resized(self, resize: str) -> Candidate:
        """The same with another way to fit a picture into the input."""
        return replace(self, model=replace(self.model, spec=replace(self.spec, resize=resize)))


def usual_spec(model: Model) -> ModelSpec:
    """How the family of a model usually prepares pictures."""
    usual = heads.defaults(heads.load_head(model.spec.family), model.io)
    return ModelSpec(model.spec.family, model.spec.input_wh, **usual)


def read_model(path: str, read_io: ReadIO, flags: ModelFlags) -> Model:
    """Reads a file as if it did not say how pictures are prepared. Other families that fit are its `rivals`.

    Raises:
        ModelError: it is not a detector that this program can read.
    """
    stated = _stated(read_io(path, None, 1))

    def bare(path: str, imgsz: Optional[Tuple[int, int]], batch: int) -> ModelIO:
        io = read_io(path, imgsz, batch)
        return replace(io, metadata={key: value for key, value in io.metadata.items() if key != METADATA_KEY})

    return understand.describe(path, bare, flags.over(stated))


def _stated(io: ModelIO) -> ModelFlags:
    """What our own metadata says apart from the preparation."""
    if METADATA_KEY not in io.metadata:
        return ModelFlags()
    spec = ModelSpec.from_json(io.metadata[METADATA_KEY])
    names = ("family", "labels", "anchors", "strides", "scale_xy", "head_layout")
    return ModelFlags(**{name: getattr(spec, name) for name in names if getattr(spec, name)})


def candidates(model: Model, flags: ModelFlags, named: bool, data_labels: Sequence[str] = ()) -> List[Candidate]:
    """Every family, colour order and scale, each with the family's usual resize. Flags of the user fix their part.

    Args:
        model: of `read_model`.
        named: whether the file or the user gives the class names.
        data_labels: class names of the labelled pictures.
    """
    found = []
    for place, reading in enumerate((model, *model.rivals)):
        for each, scale in prepared(reading, flags):
            for name, labels in _label_sets(each, named, data_labels):
                spec = replace(each.spec, labels=labels)
                found.append(Candidate(replace(each, spec=spec, rivals=()), scale, place, name))
    return found


def resizes(candidate: Candidate, flags: ModelFlags) -> List[Candidate]:
    """The candidate with every other resize; none if the user says the resize."""
    modes = () if flags.resize else RESIZE_MODES
    return [candidate.resized(mode) for mode in modes if mode != candidate.spec.resize]


def prepared(model: Model, flags: ModelFlags) -> Iterator[Tuple[Model, str]]:
    """Yields the model with every usual colour order and scale, and the name of the scale. Flags fix their part."""
    if model.io.dtypes.get(model.io.input_name) == "uint8":
        flags = replace(flags, mean=flags.mean or (0.0,) * 3, std=flags.std or (1.0,) * 3)
    seen = set()
    for color in (flags.color,) if flags.color else COLORS:
        for scale in SCALES:
            mean, std = scale.ordered(color)
            mean, std = flags.mean or mean, flags.std or std
            if (color, mean, std) in seen:
                continue
            seen.add((color, mean, std))
            name = GIVEN if flags.mean or flags.std else scale.name
            yield replace(model, spec=replace(model.spec, color=color, mean=mean, std=std)), name


def _label_sets(model: Model, named: bool, data_labels: Sequence[str]) -> List[Tuple[str, Tuple[str, ...]]]:
    """The names that the file gives or that its number of classes suggests; where they fit, those of the data too."""
    own = model.spec.labels
    sets = [("", own)] if named else [(_name_of(own), own)]
    if not named and len(data_labels) == len(own) and tuple(data_labels) != own:
        sets.append(("data", tuple(data_labels)))
    return sets


def _name_of(names: Tuple[str, ...]) -> str:
    from_sets = [name for name, known in label_sets.SETS.items() if known == names]
    return from_sets[0] if from_sets else "numbers"
