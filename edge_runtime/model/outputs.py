"""The outputs of a model file as all other code sees them: with a batch axis and with a fixed number of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.model.spec import ModelIO, Shape

MOST_ROWS = 4096  # of a list whose length differs from image to image
MOST_COLUMNS = 8  # of such a list; a row is one object


def settled(io: ModelIO, suppresses: bool = False, found: Optional[Mapping[str, Shape]] = None) -> ModelIO:
    """Returns the outputs with a batch axis. A list whose length depends on the image becomes one of 4096 rows.

    Args:
        io: with the output shapes of the file; the size of the input is known.
        suppresses: whether the network contains an NMS, after which the number of rows differs.
        found: shapes of one run, for sizes that the file leaves open.

    Raises:
        ModelError: an output has no batch axis, and the batch is above 1.
    """
    batch, shapes, stored = io.input_shape[0], {}, dict(io.stored)
    for name, shape in io.outputs.items():
        if name not in stored and _is_list(shape, batch, suppresses):
            stored[name] = shape
        if name in stored:
            shapes[name] = _with_rows(stored[name], batch)
            continue
        size = found[name] if found and -1 in shape else shape
        if len(size) > 2 and size[0] == -1 and -1 not in size[1:]:
            size = (batch, *size[1:])  # exporters write an open batch also where the input's is fixed
        shapes[name] = size
        if -1 not in size and size[:1] != (batch,):
            _refuse_batch(name, size, batch)
            shapes[name], stored[name] = (1, *size), size
    return replace(io, outputs=shapes, stored=stored)


def _refuse_batch(name: str, shape: Shape, batch: int) -> None:
    if batch > 1:
        fact = f"output {name} is {list(shape)}, which does not tell the pictures of a batch of {batch} apart"
        raise ModelError(fact, hint="use --batch 1, or export the model so that all outputs have a batch axis")


def _is_list(shape: Shape, batch: int, suppresses: bool) -> bool:
    """Whether an output of this shape is a list of objects of any length."""
    if len(shape) in (1, 2) and shape[0] == -1 and shape[-1] <= MOST_COLUMNS and -1 not in shape[1:]:
        return batch == 1
    rows = len(shape) in (2, 3) and shape[1] == -1 and shape[-1] <= MOST_COLUMNS and -1 not in shape[2:]
    return suppresses and rows and shape[0] in (-1, batch) and batch == 1


def _with_rows(shape: Shape, batch: int) -> Shape:
    """A stored shape with a batch axis, and with a number of rows."""
    if -1 not in shape:
        return (1, *shape)
    return (batch, MOST_ROWS, *(shape[2:] if len(shape) > 1 and shape[1] == -1 else shape[1:]))


def lists(io: ModelIO) -> Dict[str, Shape]:
    """Returns the outputs whose number of rows differs from image to image, and their shapes with 4096 rows."""
    return {name: io.outputs[name] for name, shape in io.stored.items() if -1 in shape}


def fill(rows: NDArray[np.float32], given: NDArray[np.generic]) -> None:
    """Copies a list into (1, 4096, ...) float32. Rows that are not given become 0.

    Raises:
        ModelError: the list has more rows.
    """
    count = given.size // max(1, int(np.prod(rows.shape[2:])))
    if count > MOST_ROWS:
        fact = f"the model gives {count} boxes for one image, and {MOST_ROWS} are read"
        raise ModelError(fact, hint="export it with a higher threshold or with fewer boxes, or without its NMS")
    rows[0, :count] = given.reshape(count, *rows.shape[2:])
    rows[0, count:] = 0
