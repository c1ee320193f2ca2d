"""The validator: what fits is kept, what does not is named with its place, its value and what was expected."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields

FIELDS = {
    "pad": fields.whole(0, 255),
    "scale": fields.number(0, 10, above=True),
    "mean": fields.repeated(fields.number(), 3),
    "steps": fields.several(fields.whole(1, 64), least=1, most=3, alone=True),
    "mode": fields.one_of(("a", "b")),
    "name": fields.text(8),
    "on": fields.flag(),
    "ranges": fields.mapping(fields.several(fields.number(), 2, 2)),
    "maybe": fields.optional(fields.whole(0, 1)),
    "size": fields.size(),
}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("pad", np.int64(7), 7),
        ("scale", 3, 3.0),
        ("scale", np.float32(0.5), 0.5),
        ("mean", 0, (0.0, 0.0, 0.0)),
        ("mean", [1, 2.5, 3], (1.0, 2.5, 3.0)),
        ("steps", 8, (8,)),
        ("mode", "b", "b"),
        ("on", False, False),
        ("ranges", {"x": [-1, 2]}, {"x": (-1.0, 2.0)}),
        ("maybe", None, None),
        ("size", 640, (640, 640)),
        ("size", "640", (640, 640)),
        ("size", "1280x720", (1280, 720)),
        ("size", [1280, 720], (1280, 720)),
    ],
    ids=str,
)
def test_what_fits_is_kept(name, value, kept):
    assert check_fields({name: value}, FIELDS, "", UsageError) == {name: kept}


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("pad", 256, "pad"), ("pad", True, "pad"), ("pad", "1", "pad"), ("pad", 1.0, "pad"), ("pad", None, "pad"),
        ("scale", 0, "scale"), ("scale", float("nan"), "scale"), ("scale", float("inf"), "scale"),
        ("scale", 10**400, "scale"), ("scale", True, "scale"), ("scale", "3", "scale"), ("scale", 1j, "scale"),
        ("mean", [0, 0], "mean"), ("mean", [0, "a", 0], "mean[1]"), ("mean", {}, "mean[0]"),
        ("steps", [], "steps"), ("steps", [1, 2, 3, 4], "steps"), ("steps", [1, 65], "steps[1]"),
        ("mode", "c", "mode"), ("mode", [], "mode"), ("name", "123456789", "name"), ("name", b"a", "name"),
        ("on", 1, "on"), ("ranges", [], "ranges"), ("ranges", {1: [0, 1]}, "ranges"),
        ("ranges", {"x": [0, float("nan")]}, "ranges[x][1]"), ("maybe", 2, "maybe"),
        ("size", 0, "size[0]"), ("size", "0x5", "size[0]"), ("size", "a", "size"), ("size", "1x2x3", "size"),
        ("size", "32768x32768", "size"), ("size", 640.0, "size[0]"), ("size", "9" * 5000, "size"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_named(name, value, place):
    with pytest.raises(UsageError) as caught:
        check_fields({name: value}, FIELDS, "recipe m.toml: ", UsageError)
    assert str(caught.value).startswith(f"recipe m.toml: {place} is ")
    assert len(str(caught.value)) < 200
    assert caught.value.hint.startswith("expected ")


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(UsageError, match="unknown key 'meen'") as caught:
        check_fields({"meen": 0}, FIELDS, "", UsageError)
    assert "'mean'" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        check_fields({"zzz": 0}, FIELDS, "", UsageError)
    assert "known keys: pad, scale" in caught.value.hint


def test_a_deep_value_is_shown_short():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UsageError) as caught:
        check_fields({"mode": deep}, FIELDS, "", UsageError)
    assert len(str(caught.value)) < 200
