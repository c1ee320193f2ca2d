from __future__ import annotations

import sys

import numpy as np
import pytest

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint
from edge_runtime.types import Detections

ROWS = np.array([[1.234, 2, 30.999, 40, 0.98765, 0], [5, 6, 7, 8, 0.5, 7]], np.float32)


def test_from_rows_copies_and_types() -> None:
    rows = ROWS.copy()
    found = Detections.from_rows(rows, ("cat", "dog"))
    rows[:] = 0
    np.testing.assert_array_equal(found.xyxy, ROWS[:, :4])
    np.testing.assert_array_equal(found.confidence, ROWS[:, 4])
    np.testing.assert_array_equal(found.class_id, [0, 7])
    assert (found.xyxy.dtype, found.confidence.dtype, found.class_id.dtype) == (np.float32, np.float32, np.int32)
    assert len(found) == 2


def test_a_class_without_a_name_is_its_number() -> None:
    found = Detections.from_rows(ROWS, ("cat", "dog"))
    assert [found.label(i) for i in range(2)] == ["cat", "7"]


def test_to_dict_is_plain_data() -> None:
    assert Detections.from_rows(ROWS, ("cat",)).to_dict() == [
        {"class_id": 0, "label": "cat", "confidence": 0.9876, "box": [1.23, 2.0, 31.0, 40.0]},
        {"class_id": 7, "label": "7", "confidence": 0.5, "box": [5.0, 6.0, 7.0, 8.0]},
    ]


def test_nothing_found() -> None:
    empty = Detections.from_rows(ROWS[:0], ("cat",))
    assert len(empty) == 0 and empty.to_dict() == [] and empty.xyxy.shape == (0, 4)


@pytest.mark.parametrize("count", [0, 2])
def test_to_supervision(count: int) -> None:
    pytest.importorskip("supervision", reason="needs supervision: pip install '.[supervision]'")
    theirs = Detections.from_rows(ROWS[:count], ("cat",)).to_supervision()
    np.testing.assert_array_equal(theirs.xyxy, ROWS[:count, :4])
    np.testing.assert_array_equal(theirs.confidence, ROWS[:count, 4])
    assert theirs.class_id.tolist() == [0, 7][:count]
    assert theirs.data["class_name"].tolist() == ["cat", "7"][:count]


def test_without_supervision_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(BackendUnavailable, match="supervision is not installed") as caught:
        Detections.from_rows(ROWS).to_supervision()
    assert caught.value.hint == install_hint("supervision")
