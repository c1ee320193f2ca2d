"""Collects what is known about a model: from its file, its metadata, its output shapes, and the user's flags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from edge_runtime import heads
from edge_runtime.detect import class_names, extra, layouts, sizes
from edge_runtime.downloads import catalog
from edge_runtime.errors import ModelError, SpecError
from edge_runtime.model import labels, names
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelIO, ModelSpec

PREPROCESSING = ("resize", "color", "mean", "std")
UNSTATED = "preprocessing is not stated in the file"  # how the note begins
INPUTS = ("float32", "float16", "float64", "uint8")  # dtypes of the image
Tried = Tuple[str, Tuple[str, ...], Tuple[str, ...]]  # family, words of the layout, class names


@dataclass(frozen=True)
class Model:
    """What is known about a model file.

    Attributes:
        path: the file.
        spec: preprocessing and class names.
        decode: how the native decoder reads the outputs; None if the family has a numpy decode only.
        notes: what was assumed or overridden, one sentence each, for the log.
        read: numbers of the outputs that are read.
        chosen_wh: (width, height) of the input in pixels, if the file leaves it open; else None.
        certain: whether our metadata say all. Otherwise the values of a run are looked at.
        said: whether the user says the family. Then it is taken even if the values contradict it.
        rivals: the same file as other families with outputs of these shapes would read it.
        evidence: one line for each reading that was weighed: for or against, the family, and why.
    """

    path: str
    io: ModelIO
    spec: ModelSpec
    decode: Optional[DecodeSpec]
    notes: Tuple[str, ...] = ()
    read: Tuple[int, ...] = ()
    chosen_wh: Optional[Tuple[int, int]] = None
    certain: bool = True
    said: bool = False
    rivals: Tuple[Model, ...] = ()
    evidence: Tuple[str, ...] = ()


def describe(
    path: str, read_io: Callable[[str, Optional[Tuple[int, int]], int], ModelIO], flags: ModelFlags, batch: int = 1
) -> Model:
    """Reads a file and finds out what it is. If its input size is open, the size is chosen first.

    A file that edge-zoo knows by its SHA-256 is read by the recipe there, under whatever name. The flags override it.
    The recipe was measured, so no run looks at it.

    Args:
        read_io: that of the backend that will run it.

    Raises:
        ModelError: not a detector that this program can read.
    """
    entry = catalog.identify(path)
    measured = entry is not None and not flags.family and flags.head_layout is None
    flags = flags.over(entry.recipe) if entry else flags
    io = read_io(path, None, batch)
    size = sizes.input_size(io, flags)
    chosen = size if size != io.input_wh else None
    with sizes.running_at(path, chosen):
        io = read_io(path, size, batch) if chosen else io
    model = replace(understand(path, io, flags), chosen_wh=chosen)
    said = [f"by its SHA-256 this is {entry.name} of edge-zoo, whose recipe is used"] if entry else []
    return replace(model, notes=(*said, *model.notes), certain=measured or model.certain)


def understand(path: str, io: ModelIO, flags: ModelFlags = ModelFlags()) -> Model:
    """Finds family, preprocessing and class names: from flags, our metadata, those of Ultralytics, then output shapes.

    Args:
        path: the model file, for messages.
        io: with concrete shapes.
        flags: what the user says. They override the file, and every contradiction becomes a note.

    Raises:
        ModelError: it is not a known detector.
        SpecError: the outputs do not fit the family.
    """
    if METADATA_KEY in io.metadata:
        notes: List[str] = []
        spec = replace(ModelSpec.from_json(io.metadata[METADATA_KEY]), input_wh=io.input_wh)
        by = "--family" if flags.family else f"the {METADATA_KEY!r} metadata"
        model = _model(path, io, _overrule(spec, flags, notes), flags, notes)
        return replace(model, evidence=(f"for {model.spec.family}: {by} says it",))
    extra.refuse(path, io)
    given = labels.load_labels(flags.labels) if flags.labels else names.from_metadata(io.metadata)[0]
    if flags.family and not hasattr(heads.load_head(flags.family), "layouts"):
        return replace(_assumed(path, io, flags, flags.family, given), certain=False, said=True)
    first, *rivals = _readings(path, io, flags, _tried(io, flags, given))
    return replace(first, rivals=tuple(rivals))


def _tried(io: ModelIO, flags: ModelFlags, given: Tuple[str, ...]) -> List[Tried]:
    """What the shapes may be: each family, then its other layouts, then rows of which only the boxes are read."""
    origin, stated = class_names.origin(io, flags), extra.stated(io, flags.head_layout)
    try:
        more: List[Tried] = [(guess.family, extra.LAYOUT, guess.labels) for guess in extra.guesses(io, given, stated)]
    except heads.ClassMismatch as error:
        raise class_names.mismatch(error, len(given), origin) from error
    if more and (stated or len(given) == 1) and not flags.family:
        return more
    families = [flags.family] if flags.family else class_names.fitting_families(io, len(given), origin)
    known = {family: heads.layouts(heads.load_head(family), io) for family in families}
    if flags.head_layout is not None:
        asked = set(flags.head_layout)
        families = [family for family in families if asked <= layouts.words(heads.load_head(family), io)] or families
        return [(family, known[family][0], given) for family in families]
    others = [(family, words, given) for family in families for words in known[family][1:]]
    return [*((family, known[family][0], given) for family in families), *others, *([] if flags.family else more)]


def _readings(path: str, io: ModelIO, flags: ModelFlags, tried: Sequence[Tried]) -> Iterator[Model]:
    """The model as each family and layout reads it. Those that do not fit are left out, but not the first."""
    for family, words, given in tried:
        try:
            reading = _assumed(path, io, flags, family, given, words)
            doubts = () if flags.family else _doubts(reading)
            notes = (*reading.notes, *doubts)
            yield replace(reading, notes=notes, certain=False, said=bool(flags.family))
        except SpecError:
            if (family, words) == tried[0][:2]:
                raise


def _doubts(model: Model) -> List[str]:
    said = _said(heads.load_head(model.spec.family), "doubt", model.io.of(model.read), model.spec)
    return [said] if said else []


def _said(head: heads.Head, member: str, *about: Any, default: Any = "") -> Any:
    """What a member of a head says that it may leave out."""
    return getattr(head, member)(*about) if hasattr(head, member) else default


def _assumed(
    path: str, io: ModelIO, flags: ModelFlags, family: str, given: Tuple[str, ...], layout: Tuple[str, ...] = ()
) -> Model:
    """The model if it is of this family. What is assumed becomes a note."""
    head = heads.load_head(family)
    about = {**heads.defaults(head, io), **_scale(io), "labels": given, "head_layout": layout}
    spec = ModelSpec(family, io.input_wh, **{**about, **_statements(flags)})
    notes = []
    assumed = [name for name in PREPROCESSING if getattr(flags, name) is None]
    if assumed and io.metadata.get("author") != "Ultralytics":
        values = ", ".join(f"--{name} {_text(getattr(spec, name))}" for name in assumed)
        file = path if path.lower().endswith(".onnx") else "MODEL.onnx"
        notes.append(f"{UNSTATED}; assuming the usual of {family}: {values}; edge-identify {file} finds it out")
    return _model(path, io, spec, flags, notes)


def _scale(io: ModelIO) -> Dict[str, Any]:
    """A network that takes whole numbers takes the pixels themselves."""
    return {"mean": (0.0,) * 3, "std": (1.0,) * 3} if io.dtypes.get(io.input_name) == "uint8" else {}


def _model(path: str, io: ModelIO, spec: ModelSpec, flags: ModelFlags, notes: List[str]) -> Model:
    dtype = io.dtypes.get(io.input_name, INPUTS[0])
    if dtype not in INPUTS:
        fact = f"{path} takes images of {dtype}, and its scale is not known"
        raise ModelError(fact, hint=f"export it with an input of {' or '.join(INPUTS)}")
    head = heads.load_head(spec.family)
    layouts.check(head, io, spec)
    read = heads.selected(head, io, spec.head_layout) or tuple(range(len(io.outputs)))
    seen = io.of(read)
    left_out = ", ".join(name for name in io.outputs if name not in seen.outputs)
    if extra.WORD in spec.head_layout:
        notes.append(extra.note(io))
    elif left_out:
        notes.append(f"outputs {left_out} are not read")
    if not spec.labels:
        usual = _said(head, "names", seen, default=())
        spec = replace(spec, labels=labels.assume_labels(_count(head, io, seen, spec), notes, usual))
    try:
        decode = head.describe(seen, spec)
    except heads.ClassMismatch as error:
        raise class_names.mismatch(error, len(spec.labels), class_names.origin(io, flags)) from error
    notes += filter(None, [_said(head, "left_out", seen)])
    return Model(path, io, spec, decode and decode.renumbered(read), tuple(notes), read)


def _count(head: heads.Head, io: ModelIO, seen: ModelIO, spec: ModelSpec) -> int:
    many = extra.classes(io, spec.family) if extra.WORD in spec.head_layout else head.classes(seen)
    return many - spec.classes_of_nothing


def _overrule(spec: ModelSpec, flags: ModelFlags, notes: List[str]) -> ModelSpec:
    said = _statements(flags)
    if flags.family:
        said["family"] = flags.family
    if flags.labels:
        said["labels"] = labels.load_labels(flags.labels)
    for name, value in said.items():
        if getattr(spec, name) != value:
            notes.append(f"{name} {_text(value)} overrules the file's {_text(getattr(spec, name))}")
    return replace(spec, **said)


def _statements(flags: ModelFlags) -> Dict[str, Any]:
    """The flags that are fields of a ModelSpec without any change."""
    return {key: value for key, value in flags.said().items() if key not in ("family", "labels", "imgsz")}


def _text(value: Any) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
