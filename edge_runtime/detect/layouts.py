"""The words of `ModelSpec.head_layout` that a family understands for a file's outputs."""

from __future__ import annotations

from typing import Set

from edge_runtime import heads
from edge_runtime.errors import SpecError
from edge_runtime.model.spec import ModelIO, ModelSpec


def words(head: heads.Head, io: ModelIO) -> Set[str]:
    """Returns the words that a head understands."""
    return {word for layout in (*heads.layouts(head, io), getattr(head, "UNTRIED", ())) for word in layout}


def check(head: heads.Head, io: ModelIO, spec: ModelSpec) -> None:
    """Refuses a layout with other words.

    Raises:
        SpecError: the family does not understand one.
    """
    known = words(head, io)
    strange = sorted(set(spec.head_layout) - known)
    if strange:
        fact = f"family {spec.family} has no head layout {', '.join(strange)}"
        raise SpecError(fact, hint=f"it has: {', '.join(sorted(known))}" if known else "leave --head-layout out")
