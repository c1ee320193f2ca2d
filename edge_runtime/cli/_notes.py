"""What a command says about the model that it has opened."""

from __future__ import annotations

from typing import List

from edge_runtime.detect.understand import Model


def about(model: Model, verbose: bool) -> List[str]:
    """Returns the lines to print: with `-v` the readings that were weighed, and in any case the notes."""
    weighed = [f"reading: {line}" for line in model.evidence] if verbose else []
    return [*weighed, *(f"note: {note}" for note in model.notes)]
