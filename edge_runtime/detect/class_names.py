"""The number of class names is evidence of a family, and its errors say where the names come from."""

from __future__ import annotations

from contextlib import suppress
from typing import List

from edge_runtime import heads
from edge_runtime.errors import ModelError, SpecError
from edge_runtime.model import names
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelIO


def fitting_families(io: ModelIO, count: int, origin: str) -> List[str]:
    """The families that fit, with the number of names as evidence, the usual one first.

    Args:
        count: number of names, 0 if there are none.
        origin: where they come from, for the error.

    Raises:
        SpecError: only the number of names speaks against a family.
        ModelError: none fits.
    """
    with suppress(ModelError):
        return heads.fitting(io, count or None)
    family = heads.fitting(io)[0]
    head = heads.load_head(family)
    raise mismatch(heads.ClassMismatch(head.classes(io.of(heads.selected(head, io))), count), count, origin)


def mismatch(error: heads.ClassMismatch, count: int, origin: str) -> SpecError:
    """The error with the place where the names come from."""
    fact = f"the outputs have {error.classes} classes, and {origin} names {count}"
    return SpecError(fact, hint=str(error.hint))


def origin(io: ModelIO, flags: ModelFlags) -> str:
    """Where the names of the classes come from, in words."""
    if flags.labels:
        return f"--labels {flags.labels}" if isinstance(flags.labels, str) else "labels"
    key = METADATA_KEY if METADATA_KEY in io.metadata else names.from_metadata(io.metadata)[1]
    return f"{key!r} in the file's metadata"
