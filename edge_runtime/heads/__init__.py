"""Heads: how to read the outputs of a detector.

Each member is a module that defines

    SUMMARY                                     one line for lists and errors: the layout, and who uses it
    PRIORITY                                    members with a higher one are asked first (default 0)
    LAYOUTS                                     its other layouts, as words of `ModelSpec.head_layout` (default none)
    layouts(io) -> layouts                      instead of LAYOUTS: all its layouts for these outputs, the usual first
    select(io, layout) -> numbers               the outputs that it reads, in its own order; empty: none (default all,
                                                or the rows that stand beside the same values in maps)
    defaults(io) -> DEFAULTS                    instead of DEFAULTS, where names of inputs and outputs tell more
    UNTRIED                                     words that it reads only if something says them (default none)
    DEFAULTS                                    ModelSpec fields of the family's training, e.g. {"resize": "stretch"}
    match(io, num_classes) -> bool              may outputs of these shapes be of this family? num_classes may be None
    doubt(io, spec) -> str                      what else outputs of these shapes may be, and the flag for it; "" if
                                                nothing. It is said where the family is a guess (may be left out)
    names(io) -> (str, ...)                     class names that are usual for these outputs, taken if the file has none
                                                and their number fits (may be left out)
    left_out(io) -> str                         what in these outputs is not read, "" if nothing (may be left out)
    odd(outputs, spec) -> str                   what in the values of one run speaks against the family, "" if nothing;
                                                `outputs` as for `decode` (may be left out)
    classes(io) -> int                          number of classes, from the shapes
    describe(io, spec) -> DecodeSpec | None     how the native decoder reads the outputs; None: only numpy can decode
    decode(outputs, spec) -> (boxes, scores)    numpy reference for one image: the outputs it reads, without the batch
                                                axis, float32 -> boxes (N, 4) float32 `[x1, y1, x2, y2]` in model
                                                pixels and scores (N, C) float32
Levels are matched by grid size, never by the order of the outputs. A shape that does not fit raises SpecError.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple, cast

import numpy as np
from numpy.typing import NDArray

from edge_runtime import plugins
from edge_runtime.errors import ModelError, SpecError
from edge_runtime.model import unread_outputs
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec

Floats = NDArray[np.float32]


UNKNOWN = "edge-identify FILE shows what each family expects; --family NAME --labels FILE say what it is"


class ClassMismatch(SpecError):
    """The outputs have another number of classes than there are names.

    Attributes:
        classes: number of classes of the outputs.
    """

    def __init__(self, classes: int, names: int) -> None:
        hint = "give the model's own list, in the order of its class ids: --labels FILE, or --labels a,b,c"
        super().__init__(f"the outputs have {classes} classes, and there are {names} names", hint=hint)
        self.classes = classes


class Head(Protocol):
    """What each member module defines; see the docstring of this module."""

    SUMMARY: str
    DEFAULTS: Mapping[str, Any]

    def match(self, io: ModelIO, num_classes: Optional[int]) -> bool:
        """Whether a model with these outputs is of this family."""

    def classes(self, io: ModelIO) -> int:
        """Number of classes that the outputs have."""

    def describe(self, io: ModelIO, spec: ModelSpec) -> Optional[DecodeSpec]:
        """How the native decoder reads the outputs; None if only `decode` can."""

    def decode(self, outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
        """Reads the outputs of one image with numpy: boxes (n, 4) in input pixels, and scores (n, classes)."""


def load_head(family: str) -> Head:
    """Returns the head of that name.

    Raises:
        UsageError: there is no such head.
    """
    return cast(Head, plugins.load_member("heads", family))


def selected(head: Head, io: ModelIO, layout: Sequence[str] = ()) -> Tuple[int, ...]:
    """Returns the numbers of the outputs that a head reads, in its order; empty if it reads none."""
    select = getattr(head, "select", None)
    if select is not None:
        return tuple(select(io, layout))
    if io.decoded is None or head.match(io, None):
        return tuple(range(len(io.outputs)))
    return (io.decoded,)


def fits(head: Head, io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether the outputs that a head reads have the shapes of its family."""
    read = selected(head, io)
    return bool(read) and head.match(io.of(read), num_classes)


def layouts(head: Head, io: ModelIO) -> Sequence[Tuple[str, ...]]:
    """Returns the layouts of a head for these outputs, the usual one first."""
    own = getattr(head, "layouts", None)
    return own(io) if own is not None else ((), *getattr(head, "LAYOUTS", ()))


def defaults(head: Head, io: ModelIO) -> Dict[str, Any]:
    """Returns ModelSpec fields that are usual for a head's family with these inputs and outputs."""
    own = getattr(head, "defaults", None)
    return dict(own(io) if own is not None else head.DEFAULTS)


def fitting(io: ModelIO, num_classes: Optional[int] = None) -> List[str]:
    """Returns the names of the families that have these output shapes, the usual one first.

    Raises:
        ModelError: no family fits. The message lists the shapes.
    """
    found = [member for member in plugins.members("heads") if fits(cast(Head, member), io, num_classes)]
    if found:
        whole_first = sorted(found, key=lambda member: len(selected(cast(Head, member), io)) < len(io.outputs))
        return [member.__name__.rsplit(".", 1)[-1] for member in whole_first]
    seen = ", ".join(f"{name} {list(shape)}" for name, shape in io.outputs.items())
    kind = unread_outputs.by_outputs(io)
    if kind:
        raise ModelError(f"these outputs are {kind.name}: {seen}", hint=kind.hint)
    raise ModelError(f"no known detector has these outputs: {seen}", hint=UNKNOWN)
