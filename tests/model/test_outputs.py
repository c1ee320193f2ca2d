"""Shapes of outputs as files state them, and as all other code sees them."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.model import outputs
from edge_runtime.model.spec import ModelIO

Shape = Tuple[int, ...]
ROWS = outputs.MOST_ROWS
CASES: Dict[str, Tuple[Shape, bool, Optional[Shape], Shape, Optional[Shape]]] = {
    # stated, whether there is an NMS, found by a run -> shape, stored if it differs
    "as stated": ((1, 84, 8400), False, None, (1, 84, 8400), None),
    "without a batch axis": ((8400, 84), False, None, (1, 8400, 84), (8400, 84)),
    "one number": ((), False, None, (1,), ()),
    "an open batch alone": ((-1, 84, 8400), False, None, (1, 84, 8400), None),
    "found by a run": ((1, -1, -1), False, (1, 84, 8400), (1, 84, 8400), None),
    "found without a batch axis": ((-1, 84), False, (8400, 84), (1, 8400, 84), (8400, 84)),
    "a table of any length": ((-1, 7), False, (3, 7), (1, ROWS, 7), (-1, 7)),
    "a column of any length": ((-1,), False, (3,), (1, ROWS), (-1,)),
    "a list with a batch axis, after NMS": ((1, -1, 5), True, (1, 3, 5), (1, ROWS, 5), (1, -1, 5)),
    "a column with a batch axis, after NMS": ((1, -1), True, (1, 3), (1, ROWS), (1, -1)),
    "rows of a grid that are open": ((1, -1, 6), False, (1, 6300, 6), (1, 6300, 6), None),
    "many columns, after NMS": ((1, -1, 85), True, (1, 6300, 85), (1, 6300, 85), None),
}


@pytest.mark.parametrize(("stated", "nms", "found", "shape", "stored"), CASES.values(), ids=CASES.keys())
def test_shapes(stated: Shape, nms: bool, found: Optional[Shape], shape: Shape, stored: Optional[Shape]) -> None:
    io = ModelIO("images", (1, 3, 64, 64), {"out": stated})
    got = outputs.settled(io, nms, {"out": found} if found else None)
    assert got.outputs == {"out": shape} and got.stored == ({} if stored is None else {"out": stored})
    assert outputs.settled(got) == got, "again changes nothing"
    assert (list(outputs.lists(got)) == ["out"]) == (stored is not None and -1 in stored)


def test_a_batch_needs_a_batch_axis() -> None:
    io = ModelIO("images", (2, 3, 64, 64), {"out": (9, 7)})
    with pytest.raises(ModelError, match=r"output out is \[9, 7\], .* batch of 2") as caught:
        outputs.settled(io)
    assert "--batch 1" in str(caught.value.hint)


def test_a_list_is_filled_and_emptied() -> None:
    rows = np.full((1, ROWS, 4), 9, np.float32)
    outputs.fill(rows, np.arange(12, dtype=np.int64).reshape(3, 4))
    assert rows[0, :3].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]] and not rows[0, 3:].any()
    outputs.fill(rows, np.zeros((0, 4), np.float32))
    assert not rows.any()
    column = np.full((1, ROWS), 9, np.float32)
    outputs.fill(column, np.array([5, 6], np.int32))
    assert column[0, :3].tolist() == [5, 6, 0]
    with pytest.raises(ModelError, match=f"{ROWS + 1} boxes"):
        outputs.fill(column, np.zeros(ROWS + 1, np.float32))
