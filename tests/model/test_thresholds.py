"""Which classes are wanted."""

from __future__ import annotations

from edge_runtime.model.thresholds import Thresholds


def test_a_name_that_is_a_number_is_a_name_first() -> None:
    labels = ("7", "3", "0")
    assert Thresholds(classes="7").class_ids(labels) == [0]
    assert Thresholds(classes=["0", "3"]).class_ids(labels) == [2, 1]
    assert Thresholds(classes=1).class_ids(labels) == [1], "a number is an id"
    assert Thresholds(classes="2").class_ids(labels) == [2], "no class has that name"
